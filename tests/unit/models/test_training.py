"""Training of the built-in model: tokenizer, data, schedule, folders and a tiny run."""

import json
import math
import re

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline_lib.errors import ConfigError, TokenizerError
from pipeline_lib.models.training import SMALL_SETTINGS, ModelSize, TrainingSettings
from pipeline_lib.models.training.data import (
    batches,
    draw_weights,
    encode,
    held_out_mask,
    split_prompts,
)
from pipeline_lib.models.training.evaluation import accuracy_table
from pipeline_lib.models.training.folders import save_folder
from pipeline_lib.models.training.optimisation import build_optimizers, learning_rate_factor
from pipeline_lib.models.training.tiny_arith import build_model, train, train_and_save
from pipeline_lib.models.training.tokenizer import build_tokenizer
from pipeline_lib.stimuli.arithmetic import make_prompts, valid_prompts

TINY = TrainingSettings(
    size=ModelSize(n_layers=1, n_heads=2, d_head=4, d_model=8, d_mlp=16),
    max_operand=6,
    max_number=30,
    steps=12,
    batch_per_operator=16,
    checkpoints=(0, 5),
)


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


def test_vocabulary_has_the_documented_layout(tokenizer):
    assert len(tokenizer) == 1009
    expected = ["<pad>", "<bos>", "<eos>", "+", "-", "*", "/", "=", "0"]
    assert tokenizer.convert_ids_to_tokens(list(range(9))) == expected
    assert tokenizer.convert_tokens_to_ids(["999", "<unk>"]) == [1007, 1008]


def test_a_prompt_is_bos_and_four_tokens(tokenizer):
    assert tokenizer("226-68=")["input_ids"] == [1, 226 + 8, 4, 68 + 8, 7]
    assert tokenizer.decode(tokenizer("226-68=158", add_special_tokens=False)["input_ids"]) == (
        "226-68=158"
    )


@pytest.mark.parametrize("text", ["226 -68=", "1000", "007", "a"])
def test_what_is_not_in_the_vocabulary_becomes_unk(tokenizer, text):
    assert tokenizer(text)["input_ids"].count(1008) == 1


@pytest.mark.parametrize(("a", "b", "text"), [(12, 3, "12+3="), (4, 7, "4+7=")])
def test_encode_refuses_operands_and_answers_that_are_not_one_token(a, b, text):
    prompts = make_prompts("add", np.array([1, a]), np.array([2, b]))
    with pytest.raises(TokenizerError, match=re.escape(text)):
        encode(prompts, build_tokenizer(max_number=9))


def test_encoded_answers_are_the_token_after_equals(tokenizer):
    data = encode(make_prompts("div", np.array([17]), np.array([5])), tokenizer)
    assert data.tokens.tolist() == [[1, 25, 6, 13, 7]]
    assert tokenizer.convert_ids_to_tokens(data.answers.tolist()) == ["3"]


@pytest.mark.parametrize("operator", ["add", "mul"])
def test_swapped_twins_are_on_one_side_of_the_split(operator):
    prompts = valid_prompts(operator, min_operand=0, max_operand=40, max_number=999)
    mask = held_out_mask(prompts, 0.3, np.random.default_rng(0))
    side = dict(zip(zip(prompts.a, prompts.b, strict=True), mask, strict=True))
    assert {side[b, a] == held_out for (a, b), held_out in side.items()} == {True}
    assert set(mask) == {True, False}


def test_split_holds_out_a_tenth_of_the_problems_of_each_operator():
    prompts = split_prompts(TrainingSettings(max_operand=40, checkpoints=()))
    n_problems = {"add": 40 * 41 // 2, "sub": 40 * 41 // 2, "div": 39 * 39}
    for operator, total in n_problems.items():
        table = prompts[(prompts.operator == operator) & prompts.held_out]
        if operator == "add":
            table = table[table.a <= table.b]
        assert len(table) == round(0.1 * total)
    assert len(prompts) == 1600 + 820 + 1521 + len(
        [1 for a in range(40) for b in range(40) if a * b <= 999]
    )


def test_split_depends_on_the_seed_only():
    settings = TrainingSettings(max_operand=10)
    other = TrainingSettings(max_operand=10, seed=1)
    pd.testing.assert_frame_equal(split_prompts(settings), split_prompts(settings))
    assert not split_prompts(settings).held_out.equals(split_prompts(other).held_out)


def test_division_is_weighted_by_the_frequency_of_the_answer():
    prompts = make_prompts("div", np.array([1, 2, 3, 4, 9]), np.array([5, 5, 5, 5, 5]))
    # Four prompts with the answer 0 weigh 4 ** -0.5 = 1/2 each, the one with answer 1 weighs 1.
    expected = np.array([0.5, 0.5, 0.5, 0.5, 1.0]) / 3
    np.testing.assert_allclose(draw_weights(prompts, -0.5), expected)
    same = prompts.assign(operator="sub")
    np.testing.assert_allclose(draw_weights(same, -0.5), np.full(5, 0.2))


def test_batches_are_balanced_repeatable_and_free_of_held_out_prompts():
    data = encode(split_prompts(TINY), build_tokenizer(TINY.max_number))
    held_out = {tuple(row) for row in data.tokens[data.prompts["held_out"].tolist()].tolist()}
    answers = {
        tuple(row): answer
        for row, answer in zip(data.tokens.tolist(), data.answers.tolist(), strict=True)
    }
    first, again = list(batches(data, TINY)), list(batches(data, TINY))
    assert len(first) == TINY.steps
    for (tokens, answer), (tokens_again, _) in zip(first, again, strict=True):
        assert torch.equal(tokens, tokens_again)
        assert tokens[:, 2].bincount(minlength=8)[3:7].tolist() == [16, 16, 16, 16]
        rows = [tuple(row) for row in tokens.tolist()]
        assert not held_out & set(rows)
        assert [answers[row] for row in rows] == answer.tolist()
    assert not torch.equal(first[0][0], first[1][0])


def test_learning_rate_rises_then_follows_a_cosine_to_zero():
    factors = [learning_rate_factor(step, 104, 4 / 104) for step in range(105)]
    assert factors[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert factors[54] == pytest.approx(0.5)
    assert factors[104] == pytest.approx(0.0, abs=1e-12)


def test_muon_gets_the_matrices_of_the_blocks_and_norms_do_not_decay():
    model = build_model(TINY, build_tokenizer(TINY.max_number))
    muon, adamw = build_optimizers(model, TINY)
    assert len(muon.param_groups[0]["params"]) == 7 * TINY.size.n_layers
    embeddings, norms = adamw.param_groups
    assert [tuple(p.shape) for p in embeddings["params"]] == [(40, 8), (40, 8)]
    assert len(norms["params"]) == 2 * TINY.size.n_layers + 1
    assert norms["weight_decay"] == 0
    assert embeddings["weight_decay"] == 0.5
    n_trained = sum(len(g["params"]) for o in (muon, adamw) for g in o.param_groups)
    assert n_trained == len(list(model.parameters()))


def test_initial_weights_come_from_the_seed_and_leave_the_global_generator_alone():
    tokenizer = build_tokenizer(TINY.max_number)
    state = torch.random.get_rng_state()
    first, second = (build_model(TINY, tokenizer).lm_head.weight for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert first.std().item() == pytest.approx(0.05, rel=0.2)


def test_default_model_has_the_documented_size(tokenizer):
    model = build_model(TrainingSettings(), tokenizer)
    assert sum(p.numel() for p in model.parameters()) == 391_872
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not model.config.tie_word_embeddings


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_folder_round_trip(tmp_path, dtype):
    tokenizer = build_tokenizer(TINY.max_number)
    model = build_model(TINY, tokenizer)
    stored = save_folder(model, tokenizer, tmp_path / "model", dtype)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert loaded.dtype == dtype
    assert model.dtype == torch.float32
    for name, weight in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight.to(dtype))
        assert torch.equal(stored.state_dict()[name], weight.to(dtype).float())
    read = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert read("5*6=30 ")["input_ids"] == tokenizer("5*6=30 ")["input_ids"]
    assert read.get_vocab() == tokenizer.get_vocab()
    for file in (tmp_path / "model").glob("*.json"):
        assert str(tmp_path) not in file.read_text()


def test_accuracy_is_counted_by_operator_and_split():
    tokenizer = build_tokenizer(TINY.max_number)
    data = encode(split_prompts(TINY), tokenizer)
    model = build_model(TINY, tokenizer).eval()
    answer = tokenizer.convert_tokens_to_ids("0")

    # With all logits equal the argmax is token 0 (<pad>), which answers nothing.
    with torch.no_grad():
        model.lm_head.weight.zero_()
    assert accuracy_table(model, data)["accuracy"].tolist() == [0.0] * 12

    data.answers.fill_(0)  # now <pad> is the right answer of every prompt
    assert accuracy_table(model, data)["accuracy"].tolist() == [1.0] * 12
    data.answers[data.prompts["held_out"].tolist()] = answer
    table = accuracy_table(model, data).set_index(["split", "operator"])
    assert set(table.loc["train", "accuracy"]) == {1.0}
    assert set(table.loc["held_out", "accuracy"]) == {0.0}
    counts = table["prompts"].unstack("operator")
    assert (counts.loc["all"] == counts.loc["train"] + counts.loc["held_out"]).all()
    assert counts.loc["all"].to_dict() == {"add": 36, "sub": 21, "mul": 36, "div": 25}
    share = counts.loc["train"] / counts.loc["all"]
    assert np.allclose(table.loc["all", "accuracy"], share[table.loc["all"].index])


def test_a_short_training_lowers_the_loss():
    tokenizer = build_tokenizer(TINY.max_number)
    data = encode(split_prompts(TINY), tokenizer)
    seen = []
    run = train(data, build_model(TINY, tokenizer), TINY, lambda step, _: seen.append(step))
    assert seen == [0, 5]
    assert len(run.losses) == TINY.steps
    assert run.losses[0] == pytest.approx(math.log(40), rel=0.05)
    assert run.losses[-1] < run.losses[0] - 0.3


def test_train_and_save_writes_every_folder_and_its_accuracy(tmp_path):
    table = train_and_save(TINY, tmp_path / "tiny")
    assert table["step"].unique().tolist() == [0, 5, 12]
    data = encode(split_prompts(TINY), build_tokenizer(TINY.max_number))
    folders = {0: "tiny@step0", 5: "tiny@step5", 12: "tiny"}
    for step, name in folders.items():
        config = json.loads((tmp_path / name / "config.json").read_text())
        assert config["dtype"] == ("float32" if step == 12 else "float16")
        model = AutoModelForCausalLM.from_pretrained(tmp_path / name, dtype=torch.float32)
        written = pd.read_csv(tmp_path / name / "accuracy.csv")
        pd.testing.assert_frame_equal(written, accuracy_table(model, data), atol=1e-6)
        part = table[table.step == step].drop(columns="step").reset_index(drop=True)
        pd.testing.assert_frame_equal(written, part, atol=1e-6)


def test_settings_out_of_range_are_all_named():
    with pytest.raises(ConfigError, match=r"steps.*checkpoints"):
        TrainingSettings(steps=0, checkpoints=(0,))
    with pytest.raises(ConfigError, match="max_operand"):
        TrainingSettings(max_operand=2000)


def test_small_settings_train_the_same_model_on_fewer_prompts():
    assert SMALL_SETTINGS.size == TrainingSettings().size
    assert len(split_prompts(SMALL_SETTINGS)) < 30_000
