import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from pipeline_lib.errors import PromptError, TokenizerError
from pipeline_lib.stimuli.text import (
    by_length,
    first_tokens,
    read_prompts,
    single_tokens,
    token_table,
)
from pipeline_lib.stimuli.words import occurrences

WORDS = ["Ġthe", "the", "ĠAnn", "Ann", "ĠX", "X", "ĠY", "Y", "ĠBe", "n", "Ġsaw", ".", ",", "Ġ"]


def tokenizer(bos=False, unk=None):
    """A tokenizer of whole words with the space in front, like those of language models."""
    names = [*WORDS, "<s>", "<unk>"]
    merges = []
    vocab = {name: i for i, name in enumerate(names)}
    for name in WORDS:  # every piece of a word, and the merge that makes it
        for end in range(1, len(name) + 1):
            vocab.setdefault(name[end - 1], len(vocab))
            if end > 1:
                vocab.setdefault(name[:end], len(vocab))
                merges.append((name[: end - 1], name[end - 1]))
    made = Tokenizer(models.BPE(vocab=vocab, merges=list(dict.fromkeys(merges)), unk_token=unk))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    if bos:
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", vocab["<s>"])]
        )
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", unk_token=unk)


@pytest.fixture(scope="module")
def plain():
    return tokenizer()


def test_a_span_reaches_from_the_first_to_the_last_token_of_a_name(plain):
    (prompt,) = read_prompts(plain, ["the Ann saw Ben, Ann."])
    pieces = plain.convert_ids_to_tokens(prompt.ids)
    assert pieces == ["the", "ĠAnn", "Ġsaw", "ĠBe", "n", ",", "ĠAnn", "."]
    assert prompt.span("Ben") == (3, 4)
    assert prompt.spans("Ann") == [(1, 1), (6, 6)]
    assert prompt.span("Ann", 1) == (6, 6)


def test_every_prompt_has_its_own_places(plain):
    first, second = read_prompts(plain, ["Ann saw the Ben", "the Ben saw Ann"])
    assert (first.span("Ann"), second.span("Ann")) == ((0, 0), (4, 4))


def test_a_name_is_not_found_inside_another_word():
    assert occurrences("Anna, Ann and Joann Ann.", "Ann") == [6, 20]
    assert occurrences("X X XX", "X") == [0, 2]
    assert occurrences("a.b.", ".b") == [1]
    assert occurrences("anything", "") == []


def test_an_entity_that_does_not_occur_is_named(plain):
    (prompt,) = read_prompts(plain, ["the Ann saw"])
    with pytest.raises(PromptError, match=r"does not occur in its prompt\.[\s\S]*Ben"):
        prompt.spans("Ben")
    with pytest.raises(PromptError, match="2 times"):
        prompt.span("Ann", 1)


def test_the_tokenizers_own_special_tokens_stand_for_no_characters():
    (prompt,) = read_prompts(tokenizer(bos=True), ["the Ann"])
    assert len(prompt) == 3
    assert prompt.span("the") == (1, 1)


def test_a_first_token_is_put_where_the_tokenizer_puts_none(plain):
    texts = ["the Ann"]
    without, added, own = (
        read_prompts(plain, texts)[0],
        read_prompts(plain, texts, prepend_bos=True)[0],
        read_prompts(tokenizer(bos=True), texts, prepend_bos=True)[0],
    )
    assert len(without) == 2
    assert added.ids == own.ids
    assert added.span("Ann") == (2, 2)


def test_prompts_of_one_length_are_found_together(plain):
    prompts = read_prompts(plain, ["the Ann saw", "Ann", "the Ben"])
    assert {n: list(rows) for n, rows in by_length(prompts).items()} == {1: [1], 3: [0, 2]}
    assert token_table([prompts[0], prompts[2]]).shape == (2, 3)
    with pytest.raises(ValueError, match="several lengths"):
        token_table(prompts)
    assert by_length([]) == {}


def test_answers_have_the_tokens_of_all_variants_that_are_one_token(plain):
    found = single_tokens(plain, {"X": [" X", "X", " X X"], "Y": ["Y", "Y"]})
    ids = dict(zip(WORDS, plain.convert_tokens_to_ids(WORDS), strict=True))
    assert found == {"X": [ids["ĠX"], ids["X"]], "Y": [ids["Y"]]}


def test_an_answer_without_a_single_token_is_named(plain):
    with pytest.raises(TokenizerError, match=r"B: ' Ben'"):
        single_tokens(plain, {"X": [" X"], "B": [" Ben"]})


def test_answers_that_share_a_token_are_refused(plain):
    with pytest.raises(TokenizerError, match=r"'X' and 'Z': 'ĠX'"):
        single_tokens(plain, {"X": [" X"], "Z": [" X"]})


def test_names_are_told_apart_by_their_first_token(plain):
    found = first_tokens(plain, ["Ann", "Ben"])
    assert plain.convert_ids_to_tokens(list(found.values())) == ["ĠAnn", "ĠBe"]
    with pytest.raises(TokenizerError, match="'Ben' and 'Benn'"):
        first_tokens(plain, ["Ann", "Ben", "Benn"])


def test_unknown_pieces_are_no_tokens():
    unknowing = tokenizer(unk="<unk>")
    with pytest.raises(TokenizerError, match=r"vocabulary[\s\S]*'Quick'"):
        first_tokens(unknowing, ["Ann", "Quick"])


def test_no_texts_are_no_prompts(plain):
    assert read_prompts(plain, []) == []
    assert token_table([]).shape == (0, 0)
