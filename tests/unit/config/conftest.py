"""Small configurations, and the problems of a wrong one by key."""

from pathlib import Path

import pytest

from pipeline_lib.config import InvalidConfigError, load_config, merge, read_presets

ROOT = Path(__file__).parents[3]
PRESETS = read_presets(ROOT / "config" / "presets")
TINY = {"source": "local", "path": "data/models/tiny", "checkpoints": ["step0", "step65"]}


def raw(arithmetic=None, **others):
    study = merge({"models": ["tiny"]}, arithmetic or {})
    return {"models": {"tiny": TINY}, "arithmetic": study, **others}


def problems(values, presets=PRESETS):
    with pytest.raises(InvalidConfigError) as caught:
        load_config(values, presets=presets)
    return {problem.key: problem.text for problem in caught.value.problems}
