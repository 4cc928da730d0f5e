"""What a change of the study's keys makes stale."""

import pytest
import yaml

from tests.project import copy_project, planned, said, snakemake
from tests.word_models import save_word_model

CONFIGS = ("config/test.yaml", "words.yaml")
ABLATED = {"ablate_orders", "induction_ablation", "induction_joint", "induction_agreement"}
AFTER_ABLATION = ABLATED | {"induction_published", "browse_induction", "write_induction_findings"}
SCORED = {"induction_heads", "induction_attention", "induction_scores", "induction_baseline"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project in which every output is there, as empty files, with the params of a run."""
    project = copy_project(tmp_path_factory.mktemp("stale") / "project")
    save_word_model(project / "data" / "models" / "words")
    config = {
        "models": {"words": {"source": "local", "path": "data/models/words"}},
        "induction": {"models": ["words"]},
    }
    (project / "words.yaml").write_text(yaml.safe_dump(config))
    for arguments in (["induction"], ["--touch", "induction"]):
        result = snakemake(project, *arguments, configs=CONFIGS)
        assert result.returncode == 0, said(result)
    return project


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ("random_sets: 4", AFTER_ABLATION),
        ("sequences: 5", SCORED | AFTER_ABLATION),
        ("dpi: 61", set(ABLATED | SCORED) - {"ablate_orders", "induction_heads"} | {"induction_published"}),
    ],
)  # fmt: skip
def test_a_key_makes_stale_what_reads_it(project, change, stale):
    (project / "change.yaml").write_text(f"induction: {{{change}}}\n")
    found = planned(project, "induction", configs=(*CONFIGS, "change.yaml"))
    assert set(found) - {"induction"} == stale
