import pytest

from pipeline_lib.errors import PromptError
from pipeline_lib.stimuli.power import QUESTION, ask, digest, question_problem, read_pairs


def table(folder, text):
    path = folder / "pairs.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def refused(path):
    with pytest.raises(PromptError) as caught:
        read_pairs(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_the_shipped_pairs_are_many_and_differ_in_few_words():
    pairs = read_pairs()
    assert len(pairs) >= 60
    assert pairs["name"].is_unique
    assert list(pairs.columns) == ["line", "name", "power", "no_power"]
    assert pairs["line"].tolist() == list(range(2, len(pairs) + 2))
    for row in pairs.itertuples():
        source, base = row.power.split(), row.no_power.split()
        assert abs(len(source) - len(base)) <= 1
        changed = sum(a != b for a, b in zip(source, base, strict=False))
        assert 1 <= changed <= max(4, len(base) // 2), row.line
    first = [row.no_power.startswith(row.name) for row in pairs.itertuples()]
    assert 0.3 < sum(first) / len(first) < 0.7  # the name before and after what differs


def test_header_case_spaces_and_order_do_not_matter_and_other_columns_are_kept(tmp_path):
    text = "\ufeffNo Power\t Topic\tNAME \tPower\n\n Ann ran. \tsport\tAnn\tAnn ruled.\n"
    pairs = read_pairs(table(tmp_path, text))
    assert pairs.to_dict("records") == [
        {"line": 3, "name": "Ann", "power": "Ann ruled.", "no_power": "Ann ran.", "topic": "sport"}
    ]


def test_a_column_of_the_users_that_has_our_name_is_kept_under_another(tmp_path):
    pairs = read_pairs(
        table(tmp_path, "line\tname\tpower\tno_power\nx\tAnn\tAnn ruled.\tAnn ran.\n")
    )
    assert pairs["line"].tolist() == [2]
    assert "x" in pairs.iloc[0].tolist()


def test_a_table_without_the_columns_says_what_it_found(tmp_path):
    said = refused(table(tmp_path, "name\tstrong\tweak\nAnn\tAnn ruled.\tAnn ran.\n"))
    assert "lacks the columns ['power', 'no_power']" in said
    assert "['name', 'strong', 'weak']" in said


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    said = refused(table(tmp_path, "name\tpower\tPower\tno_power\nAnn\tAnn\tAnn\tAnn\n"))
    assert "['power'] twice" in said


def test_a_name_that_does_not_occur_is_named_with_its_line(tmp_path):
    rows = "Ann\tAnn ruled.\tAnn ran.\nBen\tBen ruled.\tBenny ran.\n"
    said = refused(table(tmp_path, "name\tpower\tno_power\n" + rows))
    assert "line 3: 'Ben' does not occur in no_power 'Benny ran.'" in said
    assert "line 2" not in said


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("Ann\t\tAnn ran.", "line 2: power empty"),
        ("Ann\tAnn ran.\tAnn ran.", "line 2: both sentences are"),
        ("Ann\tAnn ran.", "line 2: 2 cells, the header has 3"),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path, row, problem):
    assert problem in refused(table(tmp_path, f"name\tpower\tno_power\n{row}\n"))


def test_many_bad_rows_are_one_short_message(tmp_path):
    rows = "Ann\tBen ruled.\tAnn ran.\n" * 30
    assert "and 20 more" in refused(table(tmp_path, "name\tpower\tno_power\n" + rows))


@pytest.mark.parametrize("text", ["", "\n\n", "name\tpower\tno_power\n"])
def test_a_table_without_pairs_is_refused(tmp_path, text):
    assert "The table of sentence pairs" in refused(table(tmp_path, text))


def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path):
    assert "cannot be read" in refused(tmp_path / "absent.tsv")
    (tmp_path / "latin.tsv").write_bytes("name\tpower\tno_power\nZoë".encode("latin-1"))
    assert "cannot be read" in refused(tmp_path / "latin.tsv")


def test_the_sentence_is_found_where_it_begins():
    text, start = ask(QUESTION, "Ann", "Ann ruled.")
    assert text[start:].startswith("Ann ruled. Answer:")
    assert text.count("Ann ") == 2


@pytest.mark.parametrize(
    "question", ["{entity}?", "{sentence}", "{entity} {sentence} {sentence}", "{entity} {x}", "{"]
)
def test_a_question_without_its_fields_is_refused(question):
    assert question_problem(question)
    assert question_problem(QUESTION) is None


def test_the_digest_is_that_of_the_content(tmp_path):
    path = table(tmp_path, "a")
    before = digest(path)
    path.write_text("b")
    assert digest(path) != before
    assert digest() == digest()
