"""The plan of a run against the run itself, at test size: jobs, disk and memory."""

import re
import shutil
from collections import Counter

import pytest

from pipeline_lib.figures.catalog import PAGES
from pipeline_lib.plan import assumptions
from tests.project import copy_project, planned, said, snakemake


def test_jobs_are_those_of_the_dag(stages, tmp_path):
    jobs = Counter(planned(copy_project(tmp_path / "project")))
    figures = [rule for rule in jobs if rule.startswith(("fig", "table"))]
    figures += ["heuristic_counts", "embeddings", "neuron_vectors", "neuron_rivals"]
    jobs["figures"] = sum(jobs.pop(rule) for rule in figures)
    assert {rule: stage.jobs for rule, stage in stages.items()} == jobs


FILES = {
    "label_prompts": ["prompts/*/labelled.csv"],
    "split_prompts": ["prompts/*/discovery.csv", "prompts/*/evaluation.csv"],
    "draw_counterfactuals": ["prompts/*/counterfactual_seed*.csv"],
    "cache_clean": ["activations/*/clean.h5"],
    "cache_counterfactual": ["activations/*/counterfactual_seed*.h5"],
    "verify_engine": ["verification/checks.json"],
    "indirect_effects": ["effects/*.h5"],
    "attribution_patching": ["attribution/*.h5"],
    "exact_neurons": ["exact/*.h5"],
    "cache_residuals": ["residuals/*.h5"],
    "probe_answers": ["probes/*.csv"],
    "rank_neurons": ["neurons/*.csv"],
    "neuron_maps": ["maps/*.h5"],
    "score_heuristics": ["heuristics/*_scores.h5"],
    "match_heuristics": ["heuristics/threshold/*_matches.csv"],
    "null_evidence": ["calibration/*_nulls.csv"],
    "calibrate_heuristics": ["calibration/*_neurons.csv", "calibration/*_links.csv"],
    "classify_neurons": ["heuristics/fdr/*.csv"],
    "explain_maps": ["rivals/*_explained.csv", "rivals/*_chosen.csv", "rivals/*_spectra.h5"],
    "number_codes": ["rivals/number_*.csv"],
    "knock_out_heuristics": ["knockouts/*/*_by_heuristic.csv"],
    "knock_out_prompts": ["knockouts/*/*_by_prompt.csv"],
    "mean_activations": ["means.h5"],
    "attention": ["attention/*.h5"],
    "number_maps": ["numbers/ov.h5", "numbers/mlp0.h5"],
    "mlp_vectors": ["numbers/*_keys.h5", "numbers/outputs.h5"],
    "failure_modes": ["failures/*/*.csv"],
    "faithfulness": ["faithfulness/*.csv", "circuits/*.csv"],
    "circuit_test": ["circuit_tests/*.csv"],
    "score_checkpoint": [
        *(f"checkpoints/*/*_{name}.csv" for name in ("neurons", "links", "labelled")),
        "checkpoints/*/*_scores.h5",
        "checkpoints/*/means.h5",
    ],
    "match_checkpoints": ["checkpoints/threshold_matches.csv"],
    "classify_checkpoints": ["checkpoints/fdr_matches.csv"],
}


@pytest.mark.parametrize("rule", FILES)
def test_disk_is_within_a_fifth(stages, study, rule):
    used = sum(file.stat().st_size for part in FILES[rule] for file in study.glob(part))
    assert stages[rule].disk_bytes == pytest.approx(used, rel=0.2)


def test_disk_of_the_figures_is_within_a_fifth(stages, finished_project):
    folder = finished_project / "figs"
    files = [p for p in folder.rglob("*") if p.is_file() and "browse" not in p.parts]
    overview = (folder / "arithmetic" / "tiny-arith" / "browse" / "index.html").stat().st_size
    in_report = assumptions.REPORT_PAGE_BYTES + 4 / 3 * overview
    used = sum(file.stat().st_size for file in files) - in_report
    assert stages["figures"].disk_bytes == pytest.approx(used, rel=0.2)


def test_disk_of_the_findings_is_within_a_fifth(stages, finished_project):
    page = finished_project / "figs" / "arithmetic" / "tiny-arith" / "findings.md"
    used = page.stat().st_size
    assert stages["write_findings"].disk_bytes == pytest.approx(used, rel=0.2)


@pytest.mark.parametrize("page", PAGES)
def test_disk_of_a_page_is_within_a_fifth(stages, finished_project, study, page):
    folder = finished_project / "figs" / "arithmetic" / "tiny-arith" / "browse"
    files = [*folder.glob(f"{page}.html"), *folder.glob(f"{page}_data/*")]
    used = sum(file.stat().st_size for file in [*files, study / "browse" / f"{page}.json"])
    assert stages[f"browse_{page}"].disk_bytes == pytest.approx(used, rel=0.2)


@pytest.fixture(scope="module")
def peaks(stages, finished_project, tmp_path_factory):
    """Peak memory in bytes of one job of every stage that needs much, each starting by itself."""
    project = tmp_path_factory.mktemp("cold") / "project"
    shutil.copytree(finished_project, project, symlinks=True)
    shutil.rmtree(project / "logs")
    large = [rule for rule in FILES if stages[rule].memory_bytes > 200 * 2**20]
    data = project / "data" / "arithmetic" / "tiny-arith"
    targets = [min(data.glob(FILES[rule][0])).relative_to(project) for rule in large]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAGPIPE_WARM", "off")
        result = snakemake(project, *map(str, targets), "--force")
    assert result.returncode == 0, said(result)
    logs = {rule: list((project / "logs" / rule).rglob("*.log")) for rule in large}
    said_there = {rule: "".join(log.read_text() for log in logs[rule]) for rule in large}
    return {
        rule: 1e6 * max(map(int, re.findall(r"peak memory (\d+) MB", text)))
        for rule, text in said_there.items()
    }


def test_memory_is_within_a_third(stages, peaks):
    assert len(peaks) > 20
    wrong = {
        rule: (stages[rule].memory_bytes, peak)
        for rule, peak in peaks.items()
        if stages[rule].memory_bytes != pytest.approx(peak, rel=1 / 3)
    }
    assert not wrong
