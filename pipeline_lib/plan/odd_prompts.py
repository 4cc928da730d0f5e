"""Prompts of the study odd one out before they are drawn: tokens, places, pairs, candidates."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from pipeline_lib.config.odd_one_out import OddOneOutStudy
from pipeline_lib.plan.prompt_layout import NAMES, Place, count_letters, count_tokens, place_of
from pipeline_lib.plan.sister_work import SisterWork
from pipeline_lib.stimuli.odd_one_out import CONTROLS, KINDS, Formats, Kind, People, Task
from pipeline_lib.stimuli.people import plural, read_people

Work = SisterWork[OddOneOutStudy]


@dataclass(frozen=True)
class Layout:
    """A prompt: its tokens and letters, and the places that are patched."""

    n_tokens: int
    n_letters: int
    swapped: Place
    kept: Place | None

    @property
    def query(self) -> Place:
        """The last token."""
        return Place(self.n_tokens - 1)

    @property
    def places(self) -> list[Place]:
        """All that are there."""
        return [self.swapped, *([] if self.kept is None else [self.kept]), self.query]


def layouts(settings: OddOneOutStudy, task: Task) -> list[Layout]:
    """A task's prompt for every slot of the swapped name; each is as likely."""
    formats = Formats(**settings.params("formats")["formats"])
    text, n_names = _written(formats, task)
    found = []
    for slot in range(n_names):
        others = [name for i, name in enumerate(NAMES[:n_names]) if i != slot]
        kept = place_of(text, others) if others else None
        swapped = place_of(text, NAMES[slot])
        found.append(Layout(count_tokens(text), count_letters(text), swapped, kept))
    return found


def _written(formats: Formats, task: Task) -> tuple[str, int]:
    """The prompt with signs for names, the first of them those asked about, and their number."""
    shown = NAMES[3:]
    if task == "one_name":
        return formats.one(NAMES[0]), 1
    if task == "common_attribute":
        line = f"{formats.common(shown[:2])} people\n" * formats.common_shots
        return formats.common_head + line + formats.common(NAMES[:2]), 2
    front = f"{formats.odd(shown[:3])} {shown[0]}{formats.between_shots}"
    shots = formats.odd_shots if task == "odd_one_out_shots" else 0
    return front * shots + formats.odd(NAMES[:3]), 3


def longest(work: Work) -> int:
    """Tokens of the longest prompt of any task."""
    return max(layouts(work.settings, task)[0].n_tokens for task in work.settings.tasks)


def swept_task(work: Work) -> Task:
    """The task that is swept: the first one, if the model can do it."""
    told = work.expected.swept_task
    return next((task for task in work.settings.tasks if task == told), work.settings.tasks[0])


def own_pairs(settings: OddOneOutStudy, task: Task) -> int:
    """Pairs of a task, examples included, without controls."""
    total = settings.grid.shots_pairs if task == "odd_one_out_shots" else settings.grid.pairs
    real = [kind for kind in KINDS[task] if kind not in CONTROLS]
    examples = len(settings.examples) if task == "odd_one_out" else 0
    return total // len(real) * len(real) + examples


def controls_of(task: Task) -> list[Kind]:
    """Kinds of negative controls of a task."""
    return [kind for kind in KINDS[task] if kind in CONTROLS]


def all_pairs(settings: OddOneOutStudy, task: Task) -> int:
    """Pairs of a task with its controls."""
    return own_pairs(settings, task) + settings.grid.controls * len(controls_of(task))


@dataclass(frozen=True)
class Classes:
    """What the table of people can be asked for."""

    professions: tuple[str, ...]
    supers: tuple[str, ...]

    def words(self, settings: OddOneOutStudy, task: Task) -> Iterable[str]:
        """Candidates of a pair of the task that are classes; none where they are names."""
        if task.startswith("odd_one_out"):
            return ()
        is_super = task == "common_attribute" and settings.formats.attribute == "super_class"
        return map(plural, self.supers if is_super else self.professions)


def classes_of(work: Work) -> Classes:
    """Professions and super-classes of the table of people."""
    own = work.settings.people
    return _classes(work.root / own if own else None, work.settings.grid.least_people)


@lru_cache(maxsize=16)
def _classes(path: Path | None, least: int) -> Classes:
    table: pd.DataFrame = read_people(path)
    people = People(table, least)
    return Classes(tuple(people.classes), tuple(people.supers))


def n_candidates(work: Work, task: Task) -> int:
    """Words that a pair's choice is between: two odd ones and the two others, or all classes."""
    return len(list(classes_of(work).words(work.settings, task))) or 4
