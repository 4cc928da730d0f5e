"""Pairs of prompts about people that differ in one of them.

Four tasks share one table of pairs (`COLUMNS`): the odd one out of three, the same after solved
examples, the attribute that two people share, and the profession of one. What is swapped and what
replaces it are of one fame where the table of people allows it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from pipeline_lib.errors import PromptError
from pipeline_lib.stimuli.people import plural

Task = Literal["odd_one_out", "odd_one_out_shots", "common_attribute", "one_name"]
Kind = Literal["example", "profession", "super_class", "ambiguous", "undefined"]
TASKS: tuple[Task, ...] = ("odd_one_out", "odd_one_out_shots", "common_attribute", "one_name")
CONTROLS: tuple[Kind, ...] = ("ambiguous", "undefined")
"""Pairs whose superset is ambiguous (all are of one class) or undefined (no two are)."""
KINDS: dict[Task, tuple[Kind, ...]] = {
    "odd_one_out": ("profession", "super_class", *CONTROLS),
    "odd_one_out_shots": ("profession",),
    "common_attribute": ("profession", *CONTROLS),
    "one_name": ("profession", "ambiguous"),
}
"""Kinds of pairs of each task."""
COLUMNS = [
    "task", "kind", "class", "super_class", "other_class", "clean", "corrupt", "swapped",
    "replacement", "kept", "answer", "corrupt_answer", "wrong", "slot", "fame_gap",
]  # fmt: skip
BETWEEN = "|"
"""Between the entries of a list in one field of the table."""


@dataclass(frozen=True)
class Formats:
    """How prompts are written: ``{names}`` of three, ``{a}`` and ``{b}`` of two, ``{name}``."""

    odd_one_out: str = "Q: Pick the odd person out: {names}\nA:"
    common_head: str = "Task: find common attributes of two people.\n"
    common_attribute: str = "{a} and {b}: Yes - {attribute} - they are both"
    one_name: str = "{name} was a famous"
    attribute: Literal["profession", "super_class"] = "profession"
    odd_shots: int = 2
    common_shots: int = 0
    between_shots: str = field(default="\n\n")

    def odd(self, names: Sequence[str]) -> str:
        """The question for three names."""
        return self.odd_one_out.replace("{names}", ", ".join(names))

    def common(self, names: Sequence[str]) -> str:
        """The line for two names, up to the attribute's value."""
        line = self.common_attribute.replace("{attribute}", self.attribute.replace("_", " "))
        return line.replace("{a}", names[0]).replace("{b}", names[1])

    def one(self, name: str) -> str:
        """The probe for one name."""
        return self.one_name.replace("{name}", name)


class People:
    """The table of people by class, for draws; classes with fewer than ``least`` are left out."""

    def __init__(self, table: pd.DataFrame, least: int = 5) -> None:
        sizes = table["profession"].value_counts()
        self.table = table[table["profession"].isin(sizes.index[sizes >= least])]
        self.classes = [str(name) for name in dict.fromkeys(self.table["profession"])]
        self.super_of = dict(zip(table["profession"], table["super_class"], strict=True))
        self.supers = list(dict.fromkeys(self.super_of[name] for name in self.classes))
        self.fame = dict(zip(table["name"], table["fame"].astype(int), strict=True))
        self.of_class = {
            name: self.table.loc[self.table["profession"] == name, "name"].tolist()
            for name in self.classes
        }
        if len(self.supers) < 4:
            raise PromptError(
                "The table of people has too few super-classes to draw pairs.",
                value=f"{len(self.supers)} with a profession of {least} people or more",
                hint="Add people, or lower odd_one_out.grid.least_people.",
            )

    def other_classes(self, known: Sequence[str]) -> list[str]:
        """Professions of none of the super-classes of the known ones."""
        taken = {self.super_of[name] for name in known}
        return [name for name in self.classes if self.super_of[name] not in taken]

    def pick(self, of: str, rng: np.random.Generator, without: Sequence[str] = ()) -> str:
        """Anyone of a profession but those named."""
        return str(rng.choice([name for name in self.of_class[of] if name not in without]))

    def as_famous(
        self, of: str, as_one: str, rng: np.random.Generator, without: Sequence[str]
    ) -> str:
        """Anyone of a profession whose fame is as near as possible to another one's."""
        left = [name for name in self.of_class[of] if name not in without]
        far = np.array([abs(self.fame[name] - self.fame[as_one]) for name in left])
        return str(rng.choice([name for name, d in zip(left, far, strict=True) if d == far.min()]))


def propose(
    people: People, task: Task, kind: Kind, formats: Formats, n: int, rng: np.random.Generator
) -> pd.DataFrame:
    """``n`` pairs of a task and kind, whatever a tokenizer makes of them; columns `COLUMNS`.

    The odd one out of ``profession`` pairs stands beside two of one profession, that of
    ``super_class`` pairs beside two who share no more than the super-class.
    """
    draw = {"common_attribute": _common, "one_name": _one}.get(task, _odd)
    rows = list(_drawn(draw, people, task, kind, formats, rng, n))
    return pd.DataFrame(rows, columns=COLUMNS)


def _drawn(
    draw: Callable[..., dict[str, object] | None],
    people: People,
    task: Task,
    kind: Kind,
    formats: Formats,
    rng: np.random.Generator,
    n: int,
) -> Iterator[dict[str, object]]:
    found = tries = 0
    while found < n and tries < 20 * n:
        tries += 1
        row = draw(people, task, kind, formats, found, rng)
        if row is not None:
            found += 1
            yield {"task": task, "kind": kind, **row}


def _two_classes(
    people: People, kind: Kind, rng: np.random.Generator
) -> tuple[str, str, str, str] | None:
    """Classes of the odd one, of the two others, of the replacement of one of these."""
    own = str(rng.choice(people.classes))
    if kind == "ambiguous":
        return own, own, own, own
    others = people.other_classes([own])
    first = str(rng.choice(others))
    if kind == "undefined":
        second = str(rng.choice(people.other_classes([own, first])))
        last = people.other_classes([own, first, second])
        return (own, first, second, str(rng.choice(last))) if last else None
    if kind == "profession":
        return own, first, first, own
    siblings = [c for c in others if people.super_of[c] == people.super_of[first] and c != first]
    near = [c for c in people.classes if people.super_of[c] == people.super_of[own] and c != own]
    if not siblings or not near:
        return None
    return own, first, str(rng.choice(siblings)), str(rng.choice(near))


def _odd(
    people: People, task: Task, kind: Kind, formats: Formats, number: int, rng: np.random.Generator
) -> dict[str, object] | None:
    """(odd, swapped, kept) against (odd, replacement, kept), in one of the six orders."""
    classes = _two_classes(people, kind, rng)
    if classes is None:
        return None
    odd = people.pick(classes[0], rng)
    swapped = people.pick(classes[1], rng, [odd])
    kept = people.pick(classes[2], rng, [odd, swapped])
    replacement = people.as_famous(classes[3], swapped, rng, [odd, swapped, kept])
    order = rng.permutation(3)
    shots = formats.odd_shots if task == "odd_one_out_shots" else 0
    front = odd_shots(people, formats, shots, [odd, swapped, kept, replacement], rng)
    texts = [
        front + formats.odd([(odd, entity, kept)[i] for i in order])
        for entity in (swapped, replacement)
    ]
    return {
        "class": classes[2], "super_class": people.super_of[classes[2]],
        "other_class": classes[3], "clean": texts[0], "corrupt": texts[1], "swapped": swapped,
        "replacement": replacement, "kept": BETWEEN.join([odd, kept]), "answer": odd,
        "corrupt_answer": kept, "wrong": BETWEEN.join([swapped, replacement]),
        "slot": int(np.flatnonzero(order == 1)[0]), "fame_gap": _gap(people, swapped, replacement),
    }  # fmt: skip


def odd_shots(
    people: People, formats: Formats, n: int, without: Sequence[str], rng: np.random.Generator
) -> str:
    """Solved examples in front of a question, of people who are not in it."""
    text, used = "", list(without)
    for _ in range(n):
        own, other = _two_classes(people, "profession", rng)[:2]  # type: ignore[index]
        names = [people.pick(own, rng, used)]
        for _ in range(2):
            names.append(people.pick(other, rng, [*used, *names]))
        used += names
        shown = [names[i] for i in rng.permutation(3)]
        text += f"{formats.odd(shown)} {names[0]}{formats.between_shots}"
    return text


def _common(
    people: People, task: Task, kind: Kind, formats: Formats, number: int, rng: np.random.Generator
) -> dict[str, object] | None:
    """Two who share the attribute, against one of them beside someone who does not."""
    if kind == "super_class" and formats.attribute == "profession":
        return None
    classes = _two_classes(people, kind, rng)
    if classes is None:
        return None
    other, first, second = classes[3], classes[1], classes[2]
    swapped = people.pick(first, rng)
    kept = people.pick(second, rng, [swapped])
    replacement = people.as_famous(other, swapped, rng, [swapped, kept])
    head = formats.common_head + common_shots(people, formats, [swapped, kept, replacement], rng)
    slot = number % 2
    pairs = [(entity, kept) if slot == 0 else (kept, entity) for entity in (swapped, replacement)]
    # without a common class the kept person's own stands for the answer
    answer = _value(people, second, formats)
    return {
        "class": second, "super_class": people.super_of[second], "other_class": other,
        "clean": head + formats.common(pairs[0]), "corrupt": head + formats.common(pairs[1]),
        "swapped": swapped, "replacement": replacement, "kept": kept, "answer": plural(answer),
        "corrupt_answer": "", "slot": slot, "fame_gap": _gap(people, swapped, replacement),
        "wrong": BETWEEN.join(plural(v) for v in values_of(people, formats) if v != answer),
    }  # fmt: skip


def common_shots(
    people: People, formats: Formats, without: Sequence[str], rng: np.random.Generator
) -> str:
    """Solved lines in front of a two-person prompt, of other people and several classes."""
    text, used = "", list(without)
    for name in rng.permutation(people.classes)[: formats.common_shots]:
        both: list[str] = []
        for _ in range(2):
            both.append(people.pick(str(name), rng, [*used, *both]))
        used += both
        text += f"{formats.common(both)} {plural(_value(people, str(name), formats))}\n"
    return text


def _one(
    people: People, task: Task, kind: Kind, formats: Formats, number: int, rng: np.random.Generator
) -> dict[str, object] | None:
    """One person against someone of another super-class, or (ambiguous) of the same profession."""
    if kind in ("super_class", "undefined"):
        return None
    own = str(rng.choice(people.classes))
    other = own if kind == "ambiguous" else str(rng.choice(people.other_classes([own])))
    swapped = people.pick(own, rng)
    replacement = people.as_famous(other, swapped, rng, [swapped])
    wrong = [name for name in people.classes if name not in (own, other)]
    return {
        "class": own, "super_class": people.super_of[own], "other_class": other,
        "clean": formats.one(swapped), "corrupt": formats.one(replacement), "swapped": swapped,
        "replacement": replacement, "kept": "", "answer": own,
        "corrupt_answer": other if other != own else "", "slot": 0,
        "wrong": BETWEEN.join(wrong), "fame_gap": _gap(people, swapped, replacement),
    }  # fmt: skip


def example_pairs(
    examples: Sequence[Mapping[str, Sequence[str] | str]], people: People, formats: Formats
) -> pd.DataFrame:
    """Pairs written out by the user: three names, three with one replaced, and the odd ones.

    Raises PromptError where the two lists do not differ in exactly one place, a target is not among
    its names, or the targets are the same.
    """
    rows = [_example(example, people, formats) for example in examples]
    return pd.DataFrame(rows, columns=COLUMNS)


def _example(
    example: Mapping[str, Sequence[str] | str], people: People, formats: Formats
) -> dict[str, object]:
    clean, corrupt = list(example["clean"]), list(example["corrupt"])
    odd, other = str(example["target"]), str(example["corrupt_target"])
    places = [i for i, (a, b) in enumerate(zip(clean, corrupt, strict=False)) if a != b]
    if len(clean) != len(corrupt) or len(places) != 1:
        raise PromptError(
            "The two triples of an example must differ in one name.",
            where="odd_one_out.examples",
            value=f"{', '.join(clean)} / {', '.join(corrupt)}",
        )
    for target, names in ((odd, clean), (other, corrupt)):
        if target not in names:
            raise PromptError(
                "An entity does not occur in its sentence.",
                where=f"odd_one_out.examples: {', '.join(names)}",
                value=target,
                hint="target is one of clean, corrupt_target one of corrupt.",
            )
    swapped, replacement = clean[places[0]], corrupt[places[0]]
    profession = dict(zip(people.table["name"], people.table["profession"], strict=True))
    all_names = list(dict.fromkeys([*clean, *corrupt]))
    name = profession.get(other, "")
    return {
        "task": "odd_one_out", "kind": "example", "class": name,
        "super_class": people.super_of.get(name, ""), "other_class": profession.get(odd, ""),
        "clean": formats.odd(clean), "corrupt": formats.odd(corrupt), "swapped": swapped,
        "replacement": replacement,
        "kept": BETWEEN.join(n for n in clean if n != swapped), "answer": odd,
        "corrupt_answer": other, "slot": places[0],
        "wrong": BETWEEN.join(n for n in all_names if n not in (odd, other)),
        "fame_gap": _gap(people, swapped, replacement),
    }  # fmt: skip


def values_of(people: People, formats: Formats) -> list[str]:
    """Every value that the common attribute can have."""
    return people.classes if formats.attribute == "profession" else people.supers


def _value(people: People, profession: str, formats: Formats) -> str:
    return profession if formats.attribute == "profession" else people.super_of[profession]


def _gap(people: People, one: str, other: str) -> int:
    return abs(people.fame.get(one, 0) - people.fame.get(other, 0))
