"""The command that reads every result: what it finds, what it says, and that it changes nothing."""

import os
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from pipeline_lib import check, store
from pipeline_lib.__main__ import main
from pipeline_lib.check.records import Records
from pipeline_lib.store.disk import host_name, temporary_path
from pipeline_lib.store.seals import append_seal, checked_ranges
from tests.fuzz.configs import tree

ADD = "data/arithmetic/m/effects/add_seed1.h5"
TABLE = "data/arithmetic/m/prompts/add.csv"
NOTES = "data/arithmetic/m/prompts/context.json"
WEIGHTS = "data/models/m/model.safetensors"
MANIFEST = "data/models/m/manifest.json"
PAGE = "figs/m/browse/parts"


def write_record(folder: Path, output: str, rule: str, code: str = "abc") -> None:
    """A record as Snakemake writes it, for what is read here."""
    file = folder / ".snakemake" / "metadata" / urlsafe_b64encode(output.encode()).decode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'{{"rule": "{rule}", "params": ["\'{code}\'", "3"], "incomplete": false}}')


def write_effects(path: Path, code: str = "abc", **names: str) -> None:
    provenance = {"model": "m", "operator": "add", **names}
    provenance |= {"params": {"code": code}, "versions": {"numpy": "2"}}
    arrays = {"effect": store.Array(np.arange(3000.0).reshape(1000, 3), ("prompt", "head"))}
    store.write_artifact(path, "effects", arrays, coords={"head": [0, 1, 2]}, provenance=provenance)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A small finished run, as the working folder."""
    monkeypatch.chdir(tmp_path)
    write_effects(Path(ADD))
    store.write_table(TABLE, pd.DataFrame({"a": [1, 2], "b": [3, 4]}))
    store.write_json(NOTES, {"numbers": [1]})
    Path(WEIGHTS).parent.mkdir(parents=True)
    save_file({"w": np.ones(9)}, WEIGHTS)
    files = {"model.safetensors": store.digests.sha256_of(WEIGHTS)}
    store.write_json(MANIFEST, {"folder": "data/models/m", "files": files})
    with store.atomic_path(f"{PAGE}/one.js") as temporary:
        temporary.write_text("part")
    rules = {ADD: "indirect_effects", TABLE: "make_prompts", NOTES: "context", PAGE: "browse"}
    for output, rule in {**rules, MANIFEST: "describe_model"}.items():
        write_record(tmp_path, output, rule)
    return tmp_path


def found(folder: Path) -> dict[str, check.Finding]:
    survey = check.check_folders([folder / "data", folder / "figs"], folder)
    return {finding.path: finding for finding in survey.findings}


def test_a_whole_run_passes_in_one_line(folder, capsys):
    before = tree(folder)
    assert main(["check"]) == 0
    assert capsys.readouterr().out.endswith("read: all are whole.\n")
    assert tree(folder) == before


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [cut, flip])
@pytest.mark.parametrize(
    ("path", "rule"),
    [
        (ADD, "indirect_effects"),
        (TABLE, "make_prompts"),
        (NOTES, "context"),
        (f"{PAGE}/one.js", "browse"),
    ],
)
def test_damage_is_named_with_its_rule(folder, path, rule, spoil):
    if path.endswith(".js") and spoil is cut:
        (folder / path).write_text("")
    else:
        spoil(folder / path)
    assert {name: finding.rule for name, finding in found(folder).items()} == {path: rule}


def test_the_report_names_reasons_rules_and_the_commands(folder, capsys):
    flip(folder / ADD)
    cut(folder / TABLE)
    flip(folder / PAGE / "one.js")
    assert main(["check", "--configfile", "config/test.yaml"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("Error: 3 damaged or missing, of 6 files")
    for part in (
        ADD,
        "Rules to run again: browse (1), indirect_effects (1), make_prompts (1)",
        f"  rm -r -- {ADD} \\\n    {TABLE} \\\n    {PAGE}\n",
        "  snakemake --cores all --configfile config/test.yaml",
    ):
        assert part in told


def test_tables_without_a_checksum_are_checked_by_their_form(folder):
    shutil.rmtree(Path(TABLE).parent / ".digests")
    for text, reason in (
        ("a,b\n1,2\n3\n", "not rectangular: line 3 has 1 cells, the first 2"),
        ("a,b\n1,2\n3,4", "cut off in its last line"),
        ('a,b\n1,"2\n', "cannot be read"),
        ("", "empty"),
    ):
        (folder / TABLE).write_text(text)
        assert reason in found(folder)[TABLE].reason
    (folder / TABLE).write_bytes(b"a,b\n\xff,2\n")
    assert "cannot be read" in found(folder)[TABLE].reason
    (folder / TABLE).write_text("a,b\n1,2\n")
    survey = check.check_folders([folder / "data"], folder)
    assert (survey.findings, survey.without_checksum) == ([], 2)


def test_a_file_in_the_wrong_place_or_of_other_code_is_told(folder):
    write_effects(folder / ADD, operator="sub")
    assert "belongs elsewhere: it was made for operator sub" in found(folder)[ADD].reason
    write_effects(folder / ADD, code="other")
    assert "other code than the rule" in found(folder)[ADD].reason


def test_an_artifact_without_provenance_is_told(folder):
    with store.create_artifact(folder / ADD, "effects", coords={}, provenance={"model": "m"}):
        pass
    assert "provenance lacks" in found(folder)[ADD].reason


def test_models_are_compared_with_their_manifests(folder):
    values = dict.fromkeys("w", np.ones(9))
    values["w"][3] = 2  # as valid as before
    save_file(values, folder / WEIGHTS)
    changed = found(folder)[WEIGHTS]
    assert "not the one its manifest describes" in changed.reason
    assert (changed.rule, changed.delete) == (None, ())
    write_record(folder, "data/models/m/download.json", "fetch_model")
    again = found(folder)[WEIGHTS]
    assert again.rule == "fetch_model"
    assert again.delete == (WEIGHTS, "data/models/m/download.json")
    (folder / WEIGHTS).unlink()
    assert "No such file" in found(folder)[WEIGHTS].reason


def test_values_that_do_not_fit_the_digest_are_found_though_every_checksum_fits(folder):
    with h5py.File(folder / ADD, "r+") as file:
        file["effect"][0, 0] = 9
        file.flush()
        ranges = checked_ranges(file)
    append_seal(folder / ADD, ranges)
    assert "does not match its digest" in found(folder)[ADD].reason


def test_temporary_files_are_harmless_and_deleted_only_without_an_owner(folder, capsys):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    data = folder / "data"
    names = {
        f".a.h5.{host_name()}.{gone}.part": "gone",
        temporary_path(data / "b.h5").name: "running",
        ".c.h5.elsewhere.1.part": "elsewhere",
    }
    for name in names:
        (data / name).write_text("half")
    owners = {left.path.name: left.owner for left in check.find_leftovers([data])}
    assert owners == names
    assert main(["check"]) == 0
    assert capsys.readouterr().out.count("temporary files (.*.part), harmless") == 3
    assert main(["check", "--remove-leftovers"]) == 0
    assert sorted(path.name for path in data.glob(".*.part")) == sorted(
        name for name, owner in names.items() if owner != "gone"
    )


def test_a_lock_is_stale_unless_a_snakemake_runs_there(folder):
    assert check.lock_state(folder) == "free"
    locks = folder / ".snakemake" / "locks"
    locks.mkdir()
    (locks / "0.output.lock").write_text(ADD)
    assert check.lock_state(folder) == "stale"
    program = "import time; print(flush=True); time.sleep(60)  # snakemake"
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=folder, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        run.stdout.readline()
        assert check.lock_state(folder) == "running"
        run.kill()


def test_long_names_are_found_among_snakemakes_records(folder):
    output = "data/" + "x" * 250 + "/" + "y" * 200 + ".csv"
    name = urlsafe_b64encode(output.encode()).decode()
    file = folder / ".snakemake" / "metadata" / f"@{name[:254]}" / f"@{name[254:508]}" / name[508:]
    file.parent.mkdir(parents=True)
    file.write_text('{"rule": "deep"}')
    record = Records(folder).of(output)
    assert record is not None
    assert record.rule == "deep"


def test_a_folder_that_does_not_exist_and_one_that_cannot_be_read(folder, capsys):
    assert main(["check", "nowhere"]) == 1
    assert "does not exist" in capsys.readouterr().err
    os.symlink("nowhere", folder / "data" / "broken.csv")
    assert "No such file" in found(folder)["data/broken.csv"].reason


def test_reports_stay_readable_with_many_findings():
    findings = [
        check.Finding(f"data/{n}.csv", "empty", "rule", (f"data/{n}.csv",)) for n in range(99)
    ]
    text = check.report_text(check.Survey(n_files=99, findings=findings))
    assert "and 49 more" in text
    assert "data/98.csv" in text  # in the command
