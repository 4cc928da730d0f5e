"""What the finished run of the test project holds, ready to be counted again."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from pipeline_lib import store
from pipeline_lib.artifacts.activations import read_activations
from pipeline_lib.checkpoints.names import FINAL
from pipeline_lib.knockouts.setting import Setting
from pipeline_lib.models.loading import LanguageModel, load_model
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.context import PromptContext
from tests.flops import counted

SITES = ("z", "mlp_post")


@dataclass(frozen=True)
class Given:
    """Inputs of the stages: the plan, the study's folder, the model, the project, scratch space."""

    plan: Any
    study: Path
    model: LanguageModel
    project: Path
    scratch: pytest.TempPathFactory

    @cached_property
    def context(self):
        return PromptContext.read(self.study / "prompts" / "context.json", self.model.tokenizer)

    @property
    def settings(self):
        return self.plan.work.study

    @property
    def seeds(self):
        return self.settings.seeds

    def prompts(self, operator, name):
        return store.read_table(self.study / "prompts" / operator / f"{name}.csv")

    def cached(self, operator, name):
        return read_activations(self.study / "activations" / operator / f"{name}.h5", SITES)

    def evaluated(self, n_prompts):
        return {op: self.prompts(op, "evaluation")[:n_prompts] for op in self.settings.operators}

    def at(self, step):
        """The weights of a checkpoint, and the folder of what was found with them."""
        if step == FINAL:
            return self.model, self.study
        folder = self.project / "data" / "models" / f"tiny-arith@{step}"
        return load_model(folder, name=step), self.study / "checkpoints" / step

    def matched(self, operator, rule):
        matches = store.read_table(self.study / "heuristics" / rule / f"{operator}_matches.csv")
        return matches[matches["kind"] == self.settings.heuristics.kind]

    def knocked(self, operator, name, measure):
        """A stage that knocks out: what it reads, and then ``measure`` on it."""

        def run_stage():
            setting = Setting.read(
                *(self.model, self.context),
                evaluation=self.study / "prompts" / operator / "evaluation.csv",
                means=self.study / "means.h5",
                maps=self.study / "maps" / f"{operator}.h5",
                kinds=self.settings.knockouts.ablations,
                positions="all",
                rng=generator(42, name, "setting", operator),
            )
            rngs = (generator(42, name, operator), generator(42, name, "matched", operator))
            measure(setting, *rngs)

        return counted(run_stage)
