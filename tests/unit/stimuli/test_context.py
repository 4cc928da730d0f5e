"""The context of prompts: few-shot examples of each operator in front, the same for every run."""

import json

import pytest
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from pipeline_lib.errors import ArtifactError
from pipeline_lib.models.tokens import NumberTokens
from pipeline_lib.stimuli.arithmetic import OPERATORS, prompt_text
from pipeline_lib.stimuli.context import PromptContext, draw_context

LIMITS = {"min_operand": 0, "max_operand": 6}


@pytest.fixture(scope="module")
def tokenizer():
    words = [*map(str, range(50)), *"+-*/=;", "<unk>", "<s>"]
    backend = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"\d+|[^\d]"), "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", bos_token="<s>")


def context_of(tokenizer, folder, few_shot):
    tokens = NumberTokens.measure(tokenizer)
    drawn = draw_context(tokens, ["add", "div"], **LIMITS, few_shot=few_shot, seed=7)
    (folder / "context.json").write_text(json.dumps(drawn))
    return drawn, PromptContext.read(folder / "context.json", tokenizer)


def test_without_examples_a_prompt_is_five_tokens(tokenizer, tmp_path):
    drawn, context = context_of(tokenizer, tmp_path, 0)
    assert drawn == {"max_number": 49, "examples": {"add": [], "div": []}}
    assert context.encode(context.valid("add", **LIMITS)).shape == (36, 5)


def test_every_operator_has_its_own_solved_examples_in_front(tokenizer, tmp_path):
    drawn, context = context_of(tokenizer, tmp_path, 2)
    for operator, symbol in (("add", "+"), ("div", "/")):
        valid = context.valid(operator, **LIMITS)
        text = tokenizer.decode(
            context.encode(valid.iloc[:1])[0], clean_up_tokenization_spaces=False
        )
        (a, b), _ = drawn["examples"][operator]
        answer = a + b if operator == "add" else a // b
        expected = f"<s>{a}{symbol}{b}={answer};"
        assert text.replace(" ", "").startswith(expected)
        assert text.replace(" ", "").endswith(prompt_text(valid)[0])


def test_a_prompt_is_never_among_its_own_examples(tokenizer, tmp_path):
    drawn, context = context_of(tokenizer, tmp_path, 3)
    pairs = set(map(tuple, drawn["examples"]["add"]))
    valid = context.valid("add", **LIMITS)
    assert len(valid) == 36 - 3
    assert pairs.isdisjoint(zip(valid["a"], valid["b"], strict=True))


def test_a_missing_context_is_told(tokenizer, tmp_path):
    with pytest.raises(ArtifactError, match="JSON"):
        PromptContext.read(tmp_path / "none.json", tokenizer)


def test_what_is_asked_and_what_is_right(number_tokens, prompt_pairs):
    prompts = prompt_pairs[0]
    context = PromptContext(number_tokens, dict.fromkeys(OPERATORS, prompts.iloc[:0]))
    tokens, answers = context.asked(prompts)
    assert torch.equal(tokens, number_tokens.encode(prompts))
    assert number_tokens.number_of(answers.numpy()).tolist() == prompts["answer"].tolist()
    none, no_answers = context.asked(prompts.iloc[:0])
    assert (none.shape, no_answers.shape) == ((0, 5), (0,))
