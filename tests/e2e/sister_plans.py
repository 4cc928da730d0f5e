"""The plan of a finished run of a study beside arithmetic, against the run."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline_lib.config import Config, load_config, merge, read_yaml
from pipeline_lib.figures.sisters import SISTERS
from pipeline_lib.models.loading import load_model
from pipeline_lib.plan import Expected, Stage, make_plan
from pipeline_lib.plan.assumptions import EXPECTED
from tests.e2e.counted_sisters import COUNTED
from tests.project import planned


@dataclass(frozen=True)
class PlannedRun:
    """A finished run of a study of one model; ``expected`` is what only it can tell."""

    project: Path
    study: str
    model: str
    configs: Sequence[str]
    files: Mapping[str, Sequence[str]]
    """Files of each rule in the data of the study."""
    expected: Expected = EXPECTED

    @cached_property
    def config(self) -> Config:
        raw = read_yaml(self.project / "config" / "config.yaml")
        for name in self.configs:
            raw = merge(raw, read_yaml(self.project / name))
        return load_config(raw, presets=self.project / "config" / "presets")

    @cached_property
    def stages(self) -> dict[str, Stage]:
        (plan,) = make_plan(self.config, self.project, studies=[self.study], expected=self.expected)
        return {stage.rule: stage for stage in plan.stages}

    @property
    def data(self) -> Path:
        return self.project / "data" / self.study / self.model

    @property
    def jobs(self) -> dict[str, int]:
        """As planned."""
        return {rule: stage.jobs for rule, stage in self.stages.items()}

    def jobs_of_the_dag(self) -> dict[str, int]:
        """Those of a whole run by rule, figures and pages together."""
        options = ("--nolock", "--forceall", self.study)
        jobs = Counter(planned(self.project, *options, configs=self.configs))
        del jobs[self.study]
        drawn = [rule for rule in jobs if rule not in {*self.files, "describe_model"}]
        jobs["figures"] = sum(jobs.pop(rule) for rule in drawn)
        return dict(jobs)

    def wrong_disk(self, share: float = 0.2) -> dict[str, tuple[int, float]]:
        """Rules whose planned bytes are further than a share from what is there."""
        used: dict[str, float] = {
            rule: sum(
                file.stat().st_size
                for part in parts
                for file in self.data.glob(part)
                if file.is_file()
            )
            for rule, parts in self.files.items()
        }
        used["figures"] = self._figure_bytes()
        stages = self.stages
        return {
            rule: (stages[rule].disk_bytes, n)
            for rule, n in used.items()
            if not abs(stages[rule].disk_bytes - n) <= share * n
        }

    def _figure_bytes(self) -> float:
        """Figures and pages, those in the report a second time."""
        folder = self.project / "figs" / self.study / self.model
        pages = [folder / page for page in SISTERS[self.study].pages]
        copied = [file for kind in ("png", "csv", "html") for file in folder.glob(f"*.{kind}")]
        once = [*folder.glob("*.pdf"), *(page for page in pages if page.suffix == ".md")]
        sizes = (sum(file.stat().st_size for file in files) for files in (copied, once))
        return next(sizes) * 7 / 3 + next(sizes)

    def wrong_flops(self, factor: float = 1.25) -> dict[str, tuple[int, int]]:
        """Rules whose planned FLOPs are further than a factor from those that torch counts."""
        model = load_model(self.project / "data" / "models" / self.model, name=self.model)
        found = COUNTED[self.study](self.config, model, self.data)
        assert {rule for rule, stage in self.stages.items() if stage.flops} == set(found)
        return {
            rule: (self.stages[rule].flops, n)
            for rule, n in found.items()
            if not n / factor < self.stages[rule].flops < n * factor
        }
