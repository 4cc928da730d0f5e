"""Names of tasks, kinds, places and replacements as the figures and the page write them."""

from typing import Any

from pipeline_lib import store

TASK_TITLES = {
    "odd_one_out": "odd one out",
    "odd_one_out_shots": "odd one out, with examples",
    "common_attribute": "common attribute",
    "one_name": "one name",
}
KIND_TITLES = {
    "example": "written out",
    "profession": "shared profession",
    "super_class": "shared super-class",
    "ambiguous": "control: ambiguous",
    "undefined": "control: undefined",
}
PLACE_TITLES = {"swapped": "swapped name", "kept": "other names", "query": "query"}
GROUP_TITLES = {
    "all": "all pairs", "ambiguous": "control: ambiguous", "undefined": "control: undefined",
}  # fmt: skip
COLOURS = {"clean": "#0072B2", "corrupt": "#D55E00", "random": "#6E6E6E", "other": "#009E73"}


def swept(inputs: dict[str, Any]) -> str:
    """The task that was swept, and a warning where the model is no better at it than chance."""
    choice = store.read_json(str(inputs["choice"]))
    warning = "" if choice["above_chance"] else ", NOT above chance"
    return f"{TASK_TITLES[choice['task']]}{warning}"


def renamed(table: Any, column: str, titles: dict[str, str]) -> Any:
    """A table whose values of one column are written out."""
    return table.assign(**{column: [titles.get(str(v), str(v)) for v in table[column]]})
