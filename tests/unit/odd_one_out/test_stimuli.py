import numpy as np
import pandas as pd
import pytest

from pipeline_lib.errors import PromptError, TokenizerError
from pipeline_lib.odd_one_out.baselines import first_pairs
from pipeline_lib.odd_one_out.pairs import align, margin, refuse_left_out
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.odd_one_out import BETWEEN, Formats, People, example_pairs, propose
from pipeline_lib.stimuli.people import plural, read_people
from tests.odd_stand_in import word_tokenizer

NEWTON = {
    "clean": ["Isaac Newton", "Brad Pitt", "Leonardo DiCaprio"],
    "corrupt": ["Isaac Newton", "Albert Einstein", "Leonardo DiCaprio"],
    "target": "Isaac Newton",
    "corrupt_target": "Leonardo DiCaprio",
}


@pytest.fixture(scope="module")
def drawn(people):
    return People(people)


def test_the_shipped_people_are_as_many_and_varied_as_the_study_asks(people):
    assert len(people) >= 150
    assert people["profession"].nunique() >= 10
    assert people["super_class"].nunique() >= 5
    assert people["fame"].between(1, 5).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,job\nA,b\n", r"lacks the columns profession[\s\S]*it has name, job"),
        ("name,profession,super_class,fame\nA,b,c,1\nA,b,c,1\n", r"twice[\s\S]*A"),
        ("name,profession,super_class,fame\nA,b,c,9\n", r"Fame is not[\s\S]*A"),
        ("name,profession,super_class,fame\nA,b,c,1\nB,b,d,1\n", r"two super-classes[\s\S]*b"),
        ("name,profession,super_class,fame\nA,b,,1\n", r"without a name"),
    ],
)
def test_a_bad_table_of_people_is_refused(tmp_path, text, said):
    (tmp_path / "people.csv").write_text(text)
    with pytest.raises(PromptError, match=said):
        read_people(tmp_path / "people.csv")


def test_a_missing_table_of_people_is_named(tmp_path):
    with pytest.raises(PromptError, match=r"cannot be read[\s\S]*none\.csv"):
        read_people(tmp_path / "none.csv")


def test_plurals():
    assert [plural(word) for word in ("actor", "actress")] == ["actors", "actresses"]


@pytest.mark.parametrize("kind", ["profession", "super_class", "ambiguous", "undefined"])
def test_pairs_of_three_are_of_the_classes_they_say(people, drawn, kind):
    table = propose(drawn, "odd_one_out", kind, Formats(), 40, generator(0, kind))
    assert len(table) == 40
    of = dict(zip(people["name"], people["profession"], strict=True))
    above = dict(zip(people["name"], people["super_class"], strict=True))
    for row in table.to_dict("records"):
        odd, kept = row["kept"].split(BETWEEN)
        swapped, new = row["swapped"], row["replacement"]
        assert len({odd, kept, swapped, new}) == 4
        assert row["answer"] == odd
        assert row["corrupt_answer"] == kept
        assert row["clean"].replace(swapped, new) == row["corrupt"]
        same = (of if kind in ("profession", "ambiguous") else above).get
        if kind == "undefined":
            assert len({above[n] for n in (odd, kept, swapped, new)}) == 4
            continue
        assert same(swapped) == same(kept)
        assert same(new) == same(odd)
        assert (same(odd) == same(kept)) == (kind == "ambiguous")


def test_the_replacement_is_as_famous_as_can_be(people, drawn):
    table = propose(drawn, "odd_one_out", "profession", Formats(), 60, generator(0, "fame"))
    fame = dict(zip(people["name"], people["fame"], strict=True))
    for row in table.to_dict("records"):
        gap = abs(fame[row["swapped"]] - fame[row["replacement"]])
        assert row["fame_gap"] == gap
    assert (table["fame_gap"] == 0).mean() > 0.6


def test_the_swapped_name_stands_in_every_place(drawn):
    table = propose(drawn, "odd_one_out", "profession", Formats(), 60, generator(0, "slots"))
    assert set(table["slot"]) == {0, 1, 2}


def test_common_attributes_and_one_name(people, drawn):
    formats = Formats(attribute="super_class", common_shots=2)
    rng = generator(0, "common")
    table = propose(drawn, "common_attribute", "profession", formats, 10, rng)
    row = table.iloc[0]
    assert row["answer"] == plural(row["super_class"])
    assert row["clean"].startswith(formats.common_head)
    assert row["clean"].count("they are both") == 3
    assert "super class" in row["clean"]
    table = propose(drawn, "one_name", "profession", Formats(), 10, rng)
    row = table.iloc[0]
    assert row["clean"] == f"{row['swapped']} was a famous"
    assert (row["answer"], row["corrupt_answer"]) == (row["class"], row["other_class"])
    assert propose(drawn, "one_name", "undefined", Formats(), 3, rng).empty


def test_solved_examples_are_of_other_people(drawn):
    formats = Formats(odd_shots=2)
    table = propose(drawn, "odd_one_out_shots", "profession", formats, 8, generator(0, "shots"))
    for row in table.to_dict("records"):
        assert row["clean"].count("Q: Pick") == 3
        assert row["clean"].count(row["swapped"]) == 1


def test_an_example_is_a_pair(drawn):
    row = example_pairs([NEWTON], drawn, Formats()).iloc[0]
    assert row["clean"] == (
        "Q: Pick the odd person out: Isaac Newton, Brad Pitt, Leonardo DiCaprio\nA:"
    )
    assert (row["swapped"], row["replacement"]) == ("Brad Pitt", "Albert Einstein")
    assert set(row["wrong"].split(BETWEEN)) == {"Brad Pitt", "Albert Einstein"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"target": "Bob Dylan"}, r"does not occur in its sentence[\s\S]*Bob Dylan"),
        ({"corrupt": NEWTON["clean"]}, "must differ in one name"),
    ],
)
def test_a_bad_example_is_refused(drawn, change, said):
    with pytest.raises(PromptError, match=said):
        example_pairs([NEWTON | change], drawn, Formats())


def pair_of(*names, answer=None):
    """One pair of triples as a table, the second name swapped for the fourth."""
    clean, corrupt = list(names[:3]), [names[0], names[3], names[2]]
    example = {"clean": clean, "corrupt": corrupt, "target": names[0], "corrupt_target": names[2]}
    table = pd.DataFrame(
        {"name": names, "profession": list("abcd"), "super_class": list("efgh"), "fame": 3}
    )
    return example_pairs([example], People(table, least=1), Formats())


def test_pairs_align_token_by_token():
    table = pair_of("Isaac Newton", "Brad Pitt", "Leonardo DiCaprio", "Albert Einstein")
    pairs, left_out = align(word_tokenizer(), table)
    assert left_out.empty
    first, last = pairs.spans[0]
    assert last - first == 1
    clean, corrupt = pairs.clean[0].ids, pairs.corrupt[0].ids
    changed = [i for i in range(len(clean)) if clean[i] != corrupt[i]]
    assert changed == [first, last]
    tokens = word_tokenizer().convert_ids_to_tokens(pairs.token_ids[0].tolist())
    assert tokens == [" Isaac", " Leonardo", " Brad", " Albert"]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("Isaac Newton", "Brad Pitt", "Mark Twain", "Vincent van Gogh"), "2 and 3 tokens"),
        (("Isaac Newton", "Isaac Asimov", "Mark Twain", "Brad Pitt"), "Newton and Isaac Asimov"),
        (("Isaac Newton", "Brad Pitt", "Qqq Zzz", "Mark Twain"), "vocabulary: Qqq Zzz"),
    ],
)
def test_pairs_that_cannot_be_read_are_left_out_with_the_reason(names, reason):
    pairs, left_out = align(word_tokenizer(), pair_of(*names))
    assert len(pairs) == 0
    assert reason in left_out["reason"].iloc[0]
    with pytest.raises(TokenizerError, match=r"cannot be used[\s\S]*examples"):
        refuse_left_out(left_out)


def test_unaligned_examples_can_be_kept_for_their_margins():
    table = pair_of("Isaac Newton", "Brad Pitt", "Mark Twain", "Vincent van Gogh")
    pairs, left_out = align(word_tokenizer(), table, keep_unaligned=True)
    assert left_out.empty
    assert not pairs.table["aligned"].iloc[0]


def test_only_pairs_looked_at_before_enough_were_found_count_as_left_out():
    longer = pair_of("Isaac Newton", "Brad Pitt", "Mark Twain", "Vincent van Gogh")
    equal = pair_of("Isaac Newton", "Brad Pitt", "Leonardo DiCaprio", "Albert Einstein")
    order = [longer, equal, longer, longer, equal, longer, equal]
    found = align(word_tokenizer(), pd.concat(order, ignore_index=True))
    chosen, dropped = first_pairs(*found, 2)
    assert chosen.table["proposal"].tolist() == [1, 4]
    assert dropped["proposal"].tolist() == [0, 2, 3]
    chosen, dropped = first_pairs(*found, 4)
    assert (len(chosen), len(dropped)) == (3, 4)


def test_the_margin_is_against_the_best_wrong_candidate():
    logits = np.array([[2.0, 1.0, 5.0], [3.0, 1.0, 0.0]])
    np.testing.assert_allclose(margin(logits), [-3, 2])
    np.testing.assert_allclose(margin(logits, correct=2), [3, -3])
