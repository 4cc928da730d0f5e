"""The table of the engine's self-test, from the file that the stage writes."""

import numpy as np
import pytest

from pipeline_lib import store
from pipeline_lib.artifacts.verification import write_checks
from pipeline_lib.errors import ArtifactError
from pipeline_lib.figures import table00_verification
from pipeline_lib.verification.checks import Check

CHECKS = [
    Check("noise floor", "the model itself", "measured", 8, 0.0, 0.0),
    Check("logits after a patch", "plain hooks", "passed", 64, 2e-6, 1e-7, 1e-5),
    Check("clean run", "another library", "not available", note="no adapter for it"),
]


def test_the_table_shows_differences_tolerances_and_reasons(tmp_path, write, words_of):
    path = tmp_path / "checks.json"
    write_checks(path, CHECKS, {"model": "m"})
    assert store.read_json(path)["noise_floor"] == {"logits": 0.0, "relative": 0.0}
    assert store.read_json(path)["provenance"] == {"model": "m"}
    drawn = table00_verification.make({"checks": str(path)}, ["add"], {"dpi": 60})
    assert drawn.table["status"].tolist() == ["measured", "passed", "not available"]
    assert drawn.table["max_rel_difference"].tolist()[:2] == [0.0, 1e-7]
    assert np.isnan(drawn.table["tolerance"].iloc[0])
    for part in ("1.0e-07", "1.0e-05", "not available: no adapter for it", "64"):
        assert part in words_of(drawn)
    assert all(write(drawn).values())


def test_a_foreign_file_is_refused(tmp_path):
    store.write_json(tmp_path / "checks.json", {"other": 1})
    with pytest.raises(ArtifactError, match="not a self-test"):
        table00_verification.read_checks(str(tmp_path / "checks.json"))
