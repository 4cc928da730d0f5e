import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from pipeline_lib.errors import PromptError, TokenizerError
from pipeline_lib.models.training.words import build_word_tokenizer
from pipeline_lib.stimuli.repeated import repeated_tokens
from pipeline_lib.stimuli.sequences import (
    NAMED,
    check_symbols,
    order_table,
    orders_of,
    prompt_text,
    read_orders,
    symbol_tokens,
)


@pytest.fixture(scope="module")
def words():
    return build_word_tokenizer(30, np.random.default_rng(0))


def test_all_orders_of_three_and_three_with_their_names():
    orders = orders_of(3, 3)
    assert (len(orders), len(set(orders))) == (20, 20)
    assert {order.count("x") for order in orders} == {3}
    assert set(NAMED.values()) <= set(orders)
    table = order_table([(2, 1)], 100, np.random.default_rng(0))
    assert dict(zip(table["order"], table["name"], strict=True))["xyxyxy"] == "patterned"
    assert table[table["n_y"] == 1]["order"].tolist() == ["xxy", "xyx", "yxx"]


def test_many_orders_are_drawn_without_repetition_and_three_and_three_never_is():
    table = order_table([(5, 5), (3, 3)], 7, np.random.default_rng(0))
    sizes = table.groupby(["n_x", "n_y"]).size().to_dict()
    assert sizes == {(3, 3): 20, (5, 5): 7}
    drawn = table[table["n_x"] == 5]
    assert drawn["order"].is_unique
    assert set(drawn["possible"]) == {252}


def test_a_prompt_ends_with_one_token_a_symbol(words):
    assert prompt_text("xyy", ("X", "Y")) == "Sequence: X Y Y"
    prompts = read_orders(words, ["xyy", "yxx"], ("X", "Y"))
    pieces = [words.convert_ids_to_tokens(row) for row in prompts.tokens.tolist()]
    assert pieces == [
        ["<bos>", "Sequence:", " X", " Y", " Y"],
        ["<bos>", "Sequence:", " Y", " X", " X"],
    ]
    assert words.convert_ids_to_tokens(prompts.candidates[1].tolist()) == [" X", " Y"]


def test_the_beginning_can_be_left_out(words):
    prompts = read_orders(words, ["xy"], ("X", "Y"), prepend_bos=False)
    assert words.convert_ids_to_tokens(prompts.tokens[0].tolist()) == ["Sequence:", " X", " Y"]


@pytest.mark.parametrize("symbols", [("XX", "Y"), ("X", "unheard")])
def test_symbols_that_are_no_single_tokens_are_refused(words, symbols):
    with pytest.raises(TokenizerError, match="no variant of an answer as one token"):
        symbol_tokens(words, symbols)


def test_all_symbols_that_are_no_single_tokens_are_named_at_once(words):
    with pytest.raises(TokenizerError, match=r"'XX': 0 tokens, 'QQ': 0 tokens") as caught:
        check_symbols(words, [("X", "XX"), ("QQ", "Y")])
    assert "induction.symbols" in str(caught.value)
    check_symbols(words, [("X", "Y"), ("A", "B")])


def test_the_same_symbol_twice_is_refused(words):
    with pytest.raises(TokenizerError, match="are the same"):
        read_orders(words, ["xy"], ("X", "X"))


def test_a_tokenizer_that_joins_symbols_is_refused():
    pieces = ["Sequence:", " X", " Y", " X Y"]
    made = Tokenizer(models.WordLevel({p: i for i, p in enumerate([*pieces, "?"])}, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.Split(" X Y", "isolated")
    joined = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="?", bos_token="Sequence:")
    with pytest.raises(PromptError, match="one token a symbol"):
        read_orders(joined, ["xy"], ("X", "Y"), prepend_bos=False)


def test_repeated_tokens_come_twice_and_never_again(words):
    found = repeated_tokens(words, 5, 8, np.random.default_rng(0))
    tokens = found.tokens.numpy()
    assert tokens.shape == (5, 17)
    assert set(tokens[:, 0]) == {words.bos_token_id}
    assert (tokens[:, 1:9] == tokens[:, 9:]).all()
    assert all(len(set(row)) == 8 for row in tokens[:, 1:9].tolist())
    assert not set(tokens[:, 1:].ravel()) & set(words.all_special_ids)
    # the token after the first occurrence is what comes next
    second, after = found.second[:-1], found.after_first[:-1]
    assert (tokens[:, second + 1] == tokens[:, after]).all()
    assert (tokens[:, found.second] == tokens[:, found.after_first - 1]).all()


def test_more_tokens_than_the_vocabulary_has_are_refused(words):
    with pytest.raises(TokenizerError, match="repeated_tokens = 500"):
        repeated_tokens(words, 1, 500, np.random.default_rng(0))


def test_without_a_beginning_token_there_is_none_to_prepend():
    made = Tokenizer(models.WordLevel({"a": 0, "b": 1}))
    plain = PreTrainedTokenizerFast(tokenizer_object=made)
    with pytest.raises(TokenizerError, match="prepend_bos: false"):
        repeated_tokens(plain, 1, 2, np.random.default_rng(0))
    assert repeated_tokens(plain, 1, 2, np.random.default_rng(0), prepend_bos=False).n_before == 0
