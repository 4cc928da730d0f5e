import numpy as np

from pipeline_lib.power.regions import REGIONS, Token, by_region, regions_of

NAMES = ["Marta", "Anton", "Mirko", "Farid", "Darko", "Clara"]


def spelled(pair, tokenizer):
    return [(token.base.strip(), token.source.strip()) for token in pair.tokens(tokenizer)]


def test_the_tokens_swept_are_those_of_the_sentence_and_after_it(model, prompts):
    words = ["Marta", "saw", "the", "clerk", "leave", "the", "room", ".", "Answer", ":"]
    other = ["Marta", "made", "the", "clerk", "leave", "the", "room", ".", "Answer", ":"]
    assert spelled(prompts[0], model.tokenizer) == list(zip(words, other, strict=True))
    assert [t.place for t in prompts[0].tokens(model.tokenizer)] == list(range(-10, 0))


def test_the_entity_is_that_of_the_sentence_not_of_the_question(model, prompts):
    found = {
        pair.line: [t.base.strip() for t in pair.tokens(model.tokenizer) if t.is_entity]
        for pair in prompts
    }
    assert list(found.values()) == [[name] for name in NAMES]


def test_every_token_is_in_one_region(model, prompts):
    named = [regions_of(pair.tokens(model.tokenizer)) for pair in prompts]
    assert named[0] == ["before", "differing", *["after"] * 7, "last"]
    assert named[2] == [
        "before", "before", "differing", "entity", *["after"] * 5, "last",
    ]  # fmt: skip


def test_unequal_lengths_are_aligned_from_the_right(model, unequal):
    longer_source, longer_base = unequal
    assert not longer_source.has_equal_length
    end = [(".", "."), ("Answer", "Answer"), (":", ":")]
    assert spelled(longer_source, model.tokenizer)[-3:] == end
    assert spelled(longer_source, model.tokenizer)[1] == ("Marta", "made")
    # the base lacks the source's first token in its sentence: its question takes the place
    assert spelled(longer_source, model.tokenizer)[0] == (":", "Marta")
    assert spelled(longer_base, model.tokenizer)[0] == ("The", ":")


def test_pairs_of_the_same_tokens_have_no_token_after_the_first_difference():
    tokens = [Token(p, "a", "a", True, p == -3) for p in (-3, -2, -1)]
    assert regions_of(tokens) == ["before", "before", "last"]


def test_a_region_has_the_mean_of_its_tokens():
    values = np.arange(8.0).reshape(2, 1, 1, 4)
    found = by_region(values, [["before", "after", "after", "last"], ["", "entity", "", "last"]])
    assert found.shape == (2, 5, 1, 1)
    first = dict(zip(REGIONS, found[0, :, 0, 0], strict=True))
    assert (first["before"], first["after"], first["last"]) == (0.0, 1.5, 3.0)
    assert np.isnan(first["entity"])
    assert np.isnan(found[1, REGIONS.index("after"), 0, 0])
    assert found[1, REGIONS.index("entity"), 0, 0] == 5.0
