"""Which values take the place of silenced neurons."""

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.interventions import ablate, capture, mean_activations
from pipeline_lib.knockouts.ablation import answers_by_kind, draw_donors
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import valid_prompts

PROMPTS = valid_prompts("add", min_operand=0, max_operand=12, max_number=99)
SETS = [np.array([[0, 1], [2, 3]]), np.array([[1, n] for n in range(20)])]


def test_no_prompt_is_its_own_donor_and_all_donors_serve():
    donors, prompts = draw_donors(PROMPTS, generator(1, "donors"), n=10)
    given = donors.iloc[prompts["donor"]]
    same = (given["a"].to_numpy() == prompts["a"]) & (given["b"].to_numpy() == prompts["b"])
    assert not same.any()
    assert set(prompts["donor"]) == set(range(10))
    again = draw_donors(PROMPTS, generator(1, "donors"), n=10)[1]
    assert prompts.equals(again)
    assert len(draw_donors(PROMPTS[:3], generator(1, "donors"))[0]) == 3


@pytest.mark.parametrize("n", [0, 1])
def test_one_prompt_has_no_donor(n):
    donors, prompts = draw_donors(PROMPTS[:n], generator(1, "donors"))
    assert len(donors) == 0
    assert len(prompts) == n


@pytest.mark.parametrize("positions", ["all", "last"])
def test_each_kind_puts_its_own_values_in_place(tiny_model, number_tokens, positions):
    encode, ids = number_tokens.encode, number_tokens.number_ids
    donors, prompts = draw_donors(PROMPTS, generator(2, "donors"), n=5)
    means = mean_activations(tiny_model, encode(PROMPTS))
    answers = answers_by_kind(
        *(tiny_model, encode, ids),
        kinds=("zero", "mean", "resample"),
        means=means,
        donors=donors,
        positions=positions,
    )
    tokens = encode(prompts)
    masks = torch.zeros(2, tiny_model.n_layers, tiny_model.d_mlp, dtype=torch.bool)
    for mask, chosen in zip(masks, SETS, strict=True):
        mask[chosen[:, 0], chosen[:, 1]] = True
    which = torch.arange(len(prompts)) % 2
    run = capture(tiny_model, encode(donors), ("mlp_post",))
    given = run.prompts(torch.tensor(prompts["donor"].to_numpy()))
    for kind, value in (("zero", "zero"), ("mean", means), ("resample", given)):
        logits = ablate(tiny_model, tokens, neurons=masks[which], value=value, positions=positions)
        # the model is untrained: whatever it says is made the answer, of every second prompt
        said = logits.argmax(-1).numpy()
        wanted = pd.Series(said).where(np.arange(len(said)) % 3 > 0, -1)
        numbers = {token: number for number, token in enumerate(ids.tolist())}
        asked = prompts.assign(answer=[numbers.get(token, 0) for token in wanted])
        right = answers[kind](asked, [SETS[n] for n in which.tolist()])
        assert right.tolist() == (ids[asked["answer"]] == said).tolist()


def test_without_donors_nothing_is_resampled(llama_model, number_tokens):
    means = mean_activations(llama_model, number_tokens.encode(PROMPTS))
    options = {"means": means, "donors": PROMPTS[:0], "positions": "all"}
    answers = answers_by_kind(
        *(llama_model, number_tokens.encode, number_tokens.number_ids),
        kinds=("zero", "resample"),
        **options,
    )
    assert list(answers) == ["zero"]
