"""Damaged configurations, checked in a process of their own: ``python -m tests.fuzz.configs SEED``.

Without the type checks of pytest, which take ten times as long. Every line names the configuration
that comes next, so after a crash or in a loop without end the last one is known.
"""

import os
import random
import sys
import tempfile
import traceback
from pathlib import Path

from pipeline_lib.config import load_config, merge, read_presets, read_yaml
from pipeline_lib.errors import BagpipeError
from pipeline_lib.preflight import check_workspace
from tests.fuzz.mutations import mutated
from tests.project import ROOT

PRESETS = read_presets(ROOT / "config" / "presets")


def starts() -> list[dict]:
    """What is changed: the default configuration, the paper's, and every value written out."""
    default = read_yaml(ROOT / "config" / "config.yaml")
    paper = merge(default, read_yaml(ROOT / "config" / "paper.yaml"))
    full = load_config(default, presets=PRESETS).plain()
    return [default, paper, merge(default, read_yaml(ROOT / "config" / "test.yaml")), full, full]


def tree(folder: Path) -> set[tuple[str, int]]:
    """All files below a folder and their sizes."""
    paths = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return {(str(path), path.stat().st_size) for path in paths}


def run(seed: str, count: int) -> None:
    """Check ``count`` configurations; exits with the first that ends in anything but an error."""
    begun, outcomes = starts(), {"accepted": 0, "refused": 0}
    with tempfile.TemporaryDirectory() as name:
        workspace = Path(name)
        (workspace / "data").mkdir()
        (workspace / "data" / "models").symlink_to(ROOT / "data" / "models")
        looked_at = (workspace, ROOT / "config", ROOT / "data" / "models")
        before = [tree(folder) for folder in looked_at]
        for number in range(count):
            name = f"{seed}-{number}"
            print(name, flush=True)
            rng = random.Random(name)
            config = mutated(rng.choice(begun), rng)
            try:
                check_workspace(load_config(config, presets=PRESETS), workspace)
                outcomes["accepted"] += 1
            except BagpipeError as error:
                outcomes["refused"] += 1
                if "Traceback" in str(error) or len(str(error)) > 100_000:
                    sys.exit(f"configuration {name}: a message nobody reads: {error}")
            except Exception:
                sys.exit(f"configuration {name}:\n{traceback.format_exc()}")
        assert [tree(folder) for folder in looked_at] == before, "files were changed"
    assert all(outcomes.values()), outcomes


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))
