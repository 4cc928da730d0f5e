"""What a change of code makes stale: what runs it, and nothing for a comment.

One room of the library after the other: every room has a row, or none of its code runs here.
"""

import ast
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline_lib.figures.catalog import PAGES
from tests.dry_runs import changed
from tests.stale_rules import (
    CALIBRATION,
    CHECKPOINTS,
    CIRCUIT_TEST,
    CODES,
    EVERYTHING,
    EXACT,
    FIGURES,
    FINDINGS,
    GALLERY,
    HEADS,
    KNOCKOUTS,
    LOCALIZATION,
    NULLS,
    NUMBERS,
    OVER_TRAINING,
    PATCHING,
    PROBING,
    PROMPT_KNOCKOUTS,
    SCORECARD,
    SCORING,
    STABILITY,
    THRESHOLD,
    VECTORS,
    VERIFICATION,
    with_findings,
)

VERIFIED = VERIFICATION | PATCHING | EXACT | CODES
MODEL = {"describe_model"} | EVERYTHING
BROWSED = {f"browse_{page}" for page in PAGES} | {"browse_snapshots"}
APPENDED = "\n\nCHANGED = 1\n"

ROOMS = [  # a module of a room, and what a real change in it makes stale
    ("artifacts/attention.py", HEADS | NUMBERS | VECTORS),
    ("artifacts/numbers.py", NUMBERS | VECTORS),
    ("artifacts/nulls.py", NULLS),
    ("browse/ov.py", {"browse_ov", "browse_snapshots"}),
    ("checkpoints/circuits.py", CHECKPOINTS),
    ("circuits/random_sets.py", CIRCUIT_TEST | SCORECARD),
    ("circuits/stability.py", STABILITY),
    ("figures/fig15_neuron_iou.py", {"fig15_neuron_iou"} | SCORECARD),
    ("figures/style.py", FIGURES | BROWSED),
    ("findings/words.py", FINDINGS),
    ("heuristics/counting.py", SCORING),
    ("interventions/patch.py", VERIFIED | {"score_checkpoint"} | OVER_TRAINING),
    ("knockouts/by_prompt.py", PROMPT_KNOCKOUTS | CHECKPOINTS),
    ("knockouts/matched.py", KNOCKOUTS | CHECKPOINTS),
    ("measures/failures.py", {"failure_modes", "fig09_failure_modes"}),
    ("models/manifest.py", MODEL),
    ("models/tokens.py", EVERYTHING),
    ("neurons/overlap.py", {"fig15_neuron_iou"} | SCORECARD),
    ("neurons/agreement.py", {"fig_attribution_truth"} | FINDINGS),
    # every stage that runs a model, or scores its neurons
    ("pieces.py", EVERYTHING - {"prompt_context"}),
    ("probing/training.py", PROBING),
    ("published/arithmetic.py", SCORECARD),
    ("rivals/helix.py", CODES),
    ("rng.py", EVERYTHING),
    ("stimuli/arithmetic.py", EVERYTHING),
    ("store/disk.py", MODEL),
    ("verification/sample.py", VERIFIED),
]
WITHOUT_RESULTS = (
    *("check", "config", "jobs", "plan", "warm", "code_memory.py", "fingerprint.py"),
    *("logs.py", "errors.py", "preflight.py", "__main__.py"),
)
OTHER_STUDIES = (
    *("bayes", "induction", "odd_one_out", "power", "recovery", "sweeps", "models/planted"),
    *("models/training", "models/download.py", "models/legacy.py", "models/package.py"),
    *("stimuli/bernoulli.py", "stimuli/people.py", "stimuli/people.csv", "stimuli/power.tsv"),
)
"""Code and data of the sister studies, and of models that are not in a local folder."""


def stale_after(study, changes):
    """Rules that are due with these files changed, which maps paths to texts."""
    with ExitStack() as stack:
        for path, text in changes.items():
            stack.enter_context(changed(path, text))
        return set(study.planned())


def python_files(folder):
    """Modules of the library and scripts of the workflow."""
    return [*(folder / "pipeline_lib").rglob("*.py"), *folder.glob("workflow/scripts/*.py")]


def reworded(text):
    """A module with a comment more, and with another docstring in every place that has one."""
    tree = ast.parse(text)
    lines = text.splitlines(keepends=True)
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, owners) and ast.get_docstring(node) is not None:
            first = node.body[0].lineno - 1
            lines[first] = lines[first].replace('"""', '"""Said otherwise: ', 1)
    changed = "".join(lines) + "\n# a comment\n"
    ast.parse(changed)
    return changed


def files_under(folder, names):
    """Files of the library in these rooms, or with these names."""
    for name in names:
        path = folder / "pipeline_lib" / name
        yield from (path.rglob("*.py") if path.is_dir() else [path])


def test_every_room_has_a_row(study):
    library = study.folder / "pipeline_lib"
    rooms = {path.name for path in library.iterdir() if path.name not in ("__init__.py",)}
    rooms -= {"__pycache__", *WITHOUT_RESULTS, *OTHER_STUDIES, "stats.py"}
    assert rooms == {Path(module).parts[0] for module, _ in ROOMS}


def test_comments_and_docstrings_make_nothing_stale(study):
    texts = {path: path.read_text() for path in python_files(study.folder)}
    others = {path: reworded(text) for path, text in texts.items()}
    assert sum(others[path] != text + "\n# a comment\n" for path, text in texts.items()) > 300
    assert stale_after(study, others) == set()


def test_rooms_that_decide_no_result_make_nothing_stale(study):
    paths = files_under(study.folder, [*WITHOUT_RESULTS, *OTHER_STUDIES])
    assert stale_after(study, {path: path.read_text() + "\n\n" for path in paths}) == set()
    code = files_under(study.folder, [*WITHOUT_RESULTS, *OTHER_STUDIES])
    changes = {path: path.read_text() + APPENDED for path in code if path.suffix == ".py"}
    assert len(changes) > 80
    assert stale_after(study, changes) == set()


@pytest.mark.parametrize(("module", "stale"), ROOMS)
def test_a_change_in_a_room_makes_what_runs_it_stale(study, module, stale):
    path = study.folder / "pipeline_lib" / module
    assert stale_after(study, {path: path.read_text() + APPENDED}) == with_findings(stale)


def test_statistics_run_after_the_model(study):
    path = study.folder / "pipeline_lib" / "stats.py"
    stale = stale_after(study, {path: path.read_text() + APPENDED})
    assert stale >= CALIBRATION | PROBING | CIRCUIT_TEST | LOCALIZATION | STABILITY
    measured = {"label_prompts", "neuron_maps", "exact_neurons", "indirect_effects"}
    assert stale.isdisjoint(measured | {"attribution_patching", "mean_activations"})


def test_a_changed_default_of_the_library_makes_what_reads_it_stale(study):
    path = study.folder / "pipeline_lib" / "config" / "heuristics.py"
    text = path.read_text()
    assert "threshold: Share = 0.6\n" in text
    other = text.replace("threshold: Share = 0.6\n", "threshold: Share = 0.55\n")
    assert stale_after(study, {path: other}) == with_findings(THRESHOLD)


def test_a_changed_preset_makes_what_reads_it_stale(study):
    path = study.folder / "config" / "presets" / "paper.yaml"
    other = path.read_text().replace("rank: score", "rank: count")
    assert stale_after(study, {path: other}) == with_findings(PROMPT_KNOCKOUTS | CHECKPOINTS)


def test_a_changed_script_makes_its_rule_stale(study):
    path = study.folder / "workflow" / "scripts" / "probe_answers.py"
    other = path.read_text().replace('settings["test_share"]', '0 + settings["test_share"]')
    assert stale_after(study, {path: other}) == with_findings(PROBING)


def test_a_script_of_many_rules_makes_all_of_them_stale(study):
    path = study.folder / "workflow" / "scripts" / "build_page.py"
    assert stale_after(study, {path: path.read_text() + APPENDED}) == BROWSED


def test_resources_messages_and_logs_make_nothing_stale(study):
    paths = [
        path for path in study.folder.glob("workflow/rules/*.smk") if "runtime=" in path.read_text()
    ]
    others = {
        path: path.read_text()
        .replace("runtime=10,", 'runtime=11,\n        slurm_partition="gpu",')
        .replace("mem_mb=2000,", "mem_mb=2001,")
        .replace(' of {wildcards.model}"', ' of the model {wildcards.model}"')
        for path in paths
    }
    assert sum(others[path] != path.read_text() for path in paths) > 20
    assert stale_after(study, others) == set()


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("browse/templates/neurons.js", "const STEP = 50", "const STEP = 99", GALLERY),
        ("browse/templates/common.js", "// Rows of", "// All rows of", BROWSED),
        ("findings/template.md", "## In short", "## Short", FINDINGS),
        ("published/arithmetic.csv", "0.97", "0.96", SCORECARD),
    ],
)
def test_a_data_file_makes_what_reads_it_stale(study, file, old, new, stale):
    path = study.folder / "pipeline_lib" / file
    assert old in path.read_text()
    assert stale_after(study, {path: path.read_text().replace(old, new, 1)}) == stale
