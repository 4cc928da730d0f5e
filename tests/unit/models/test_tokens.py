import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from pipeline_lib.errors import PromptError, TokenizerError
from pipeline_lib.models.tokens import NumberTokens
from pipeline_lib.models.training.tokenizer import build_tokenizer
from pipeline_lib.stimuli.arithmetic import make_prompts, prompt_text, valid_prompts


def word_tokenizer(words, pattern=r"\d+|[^\d]", behavior="isolated", **special):
    vocab = {word: index for index, word in enumerate([*words, "<unk>", "<s>", "</s>"])}
    backend = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), behavior)
    special = special or {"bos_token": "<s>"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", **special)


SYMBOLS = list("+-*/=")


def test_measured_from_the_tokenizer(number_tokens):
    tokenizer = number_tokens.tokenizer
    assert number_tokens.max_number == 99
    assert number_tokens.number_ids.shape == (100,)
    assert tokenizer.convert_ids_to_tokens(number_tokens.number_ids.tolist()) == [
        str(n) for n in range(100)
    ]
    assert number_tokens.bos_id == tokenizer.bos_token_id
    assert number_tokens.equals_id == tokenizer.convert_tokens_to_ids("=")
    assert list(number_tokens.operator_ids) == ["add", "sub", "mul", "div"]


def test_numbers_beyond_one_block_of_measuring():
    assert NumberTokens.measure(build_tokenizer(1234)).max_number == 1234


def test_a_gap_ends_the_range():
    words = [*SYMBOLS, *(str(n) for n in range(60) if n != 37)]
    assert NumberTokens.measure(word_tokenizer(words)).max_number == 36


def test_end_token_stands_in_for_a_missing_beginning():
    words = [*SYMBOLS, *map(str, range(30))]
    tokenizer = word_tokenizer(words, eos_token="</s>")
    assert NumberTokens.measure(tokenizer).bos_id == tokenizer.eos_token_id
    neither = word_tokenizer(words, pad_token="<s>")
    with pytest.raises(TokenizerError, match="neither a beginning nor an end"):
        NumberTokens.measure(neither)


def test_digit_by_digit_tokenizer_is_refused():
    tokenizer = word_tokenizer([*SYMBOLS, *"0123456789"], pattern=r".")
    with pytest.raises(TokenizerError, match="single tokens") as caught:
        NumberTokens.measure(tokenizer)
    assert "largest single-token number 9" in str(caught.value)
    assert "['1', '0', '+', '1', '0', '=']" in str(caught.value)


def test_numbers_single_alone_but_merged_in_a_prompt_do_not_count():
    # "15=" is one word of this tokenizer, so 15 is one token alone and never inside a prompt
    words = [*SYMBOLS, *map(str, range(40)), "15="]
    tokenizer = word_tokenizer(words, pattern=r"15=|\d+|[^\d]")
    assert len(tokenizer("15")["input_ids"]) == 1
    assert NumberTokens.measure(tokenizer).max_number == 14


def test_missing_symbol_is_named():
    with pytest.raises(TokenizerError, match=r"'\*'"):
        NumberTokens.measure(word_tokenizer(["+", "-", "/", "=", *map(str, range(30))]))


def test_encoding_equals_the_tokenizer_on_every_prompt(number_tokens):
    for operator in number_tokens.operator_ids:
        prompts = valid_prompts(operator, min_operand=0, max_operand=30, max_number=99)
        expected = number_tokens.tokenizer(prompt_text(prompts))["input_ids"]  # adds BOS
        assert number_tokens.encode(prompts).tolist() == expected


def test_no_prompts_give_an_empty_table(number_tokens):
    assert number_tokens.encode(
        make_prompts("add", np.array([], dtype=int), np.array([], dtype=int))
    ).shape == (0, 5)


def test_few_shot_prefix_adds_columns_on_the_left():
    words = [*SYMBOLS, ";", *map(str, range(50))]
    tokens = NumberTokens.measure(word_tokenizer(words))
    prompts = make_prompts("add", np.array([3, 4]), np.array([5, 6]))
    plain, prefixed = tokens.encode(prompts), tokens.encode(prompts, "13+27=40;")
    assert prefixed.shape == (2, 11)
    assert torch.equal(prefixed[:, -4:], plain[:, -4:])
    assert torch.equal(prefixed[:, 0], plain[:, 0])
    own = tokens.encode(prompts, ["1+2=3;", "2+2=4;"])
    assert own[:, 1].tolist() == tokens.number_ids[[1, 2]].tolist()
    with pytest.raises(PromptError, match="number of tokens"):
        tokens.encode(prompts, ["1+2=3;", ""])


def test_prefix_that_runs_into_the_prompt_is_refused(number_tokens):
    with pytest.raises(TokenizerError, match="inside its context"):
        number_tokens.encode(make_prompts("add", np.array([3]), np.array([5])), "1")


def test_prefix_outside_the_vocabulary_is_refused(number_tokens):
    with pytest.raises(TokenizerError, match="';'"):
        number_tokens.encode(make_prompts("add", np.array([3]), np.array([5])), "1+2=3;")


def test_operands_beyond_the_numbers_are_refused(number_tokens):
    with pytest.raises(PromptError, match=r"0\.\.99"):
        number_tokens.encode(make_prompts("sub", np.array([100]), np.array([5])))
    negative = pd.DataFrame({"operator": ["add"], "a": [1], "b": [-2], "answer": [-1]})
    with pytest.raises(PromptError, match="column b"):
        number_tokens.encode(negative)


def test_spaces_are_refused_and_named(number_tokens):
    assert number_tokens.encode_text("26-8=").tolist() == (
        number_tokens.encode(make_prompts("sub", np.array([26]), np.array([8])))[0].tolist()
    )
    with pytest.raises(TokenizerError, match="' '"):
        number_tokens.encode_text("26 - 8 =")
    with pytest.raises(TokenizerError, match="'100'"):
        number_tokens.encode_text("100+1=")


def test_spaces_dropped_silently_are_refused_too():
    words = [*SYMBOLS, *map(str, range(50))]
    tokenizer = word_tokenizer(words, pattern=r"\s+", behavior="removed")
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\s+"), "removed"),
            pre_tokenizers.Split(Regex(r"\d+|[^\d]"), "isolated"),
        ]
    )
    with pytest.raises(TokenizerError, match="' '"):
        NumberTokens.measure(tokenizer).encode_text("26 - 8 =")


def test_number_of_tokens(number_tokens):
    ids = np.array([number_tokens.number_ids[42], number_tokens.equals_id, 10_000])
    assert number_tokens.number_of(ids).tolist() == [42, -1, -1]
