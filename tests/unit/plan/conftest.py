"""Plans of small configurations, whose hub model exists only as a shape."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pipeline_lib.config import Config, load_config, merge, read_yaml
from pipeline_lib.plan import ModelPlan, Stage, make_plan
from tests.project import ROOT

SHAPE = {
    "n_layers": 6,
    "n_heads": 8,
    "n_kv_heads": 4,
    "d_head": 16,
    "d_model": 128,
    "d_mlp": 512,
    "d_vocab": 2000,
    "max_number": 999,
    "gated_mlp": True,
}
HUB = {"source": "hub", "repo": "someone/some-model", "revision": "v1", "shape": SHAPE}


@pytest.fixture
def config() -> Callable[..., Config]:
    """The default configuration with YAML text laid over it."""

    def load(*texts: str | dict) -> Config:
        raw = read_yaml(ROOT / "config" / "config.yaml")
        for text in texts:
            raw = merge(raw, yaml.safe_load(text) if isinstance(text, str) else text)
        return load_config(raw, presets=ROOT / "config" / "presets")

    return load


@pytest.fixture
def plan(config, tmp_path: Path) -> Callable[..., ModelPlan]:
    """Plan of the hub model under a configuration."""

    def make(*texts: str | dict, **options) -> ModelPlan:
        hub = {"models": {"some": HUB}, "arithmetic": {"models": ["some"]}}
        return make_plan(config(hub, *texts), tmp_path, **options)[0]

    return make


def by_rule(plan: ModelPlan) -> dict[str, Stage]:
    """The stages of a plan by their rules."""
    return {stage.rule: stage for stage in plan.stages}
