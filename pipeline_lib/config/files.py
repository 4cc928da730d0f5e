"""Configuration files as plain values: nothing in them runs, and none is without end."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline_lib.errors import ConfigError

MOST_VALUES, MOST_LEVELS = 100_000, 50
TEMPLATE_KEY = "__use_yte__"
"""Key by which a configuration file asks Snakemake to run the Python expressions in it."""


def read_yaml(file: Path | str) -> dict[Any, Any]:
    """The values of one YAML file (a block of keys; an empty file is an empty block).

    Raises ConfigError when the file is missing or is not such a block, names Python objects, or
    holds values without end.
    """
    try:
        values = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            "A configuration file cannot be read.", where=file, value=reason
        ) from None
    if not isinstance(values or {}, dict):
        raise ConfigError("A configuration file must hold a block of keys.", where=file)
    refuse_endless(values, file)
    return values or {}


def refuse_endless(values: Any, where: Any = None) -> None:
    """Raise ConfigError for values that hold themselves, or more than a configuration can need.

    References in YAML make both with a few lines.
    """
    count, level = 0, [values]
    for _ in range(MOST_LEVELS):
        level = [part for value in level for part in _parts(value)]
        count += len(level)
        if not level or count > MOST_VALUES:
            break
    if level:
        raise ConfigError(
            "The configuration holds itself, or too many values.",
            where=where,
            value=f"more than {MOST_VALUES} values or {MOST_LEVELS} levels",
            hint="Look for references (&name and *name) in the YAML.",
        )


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def refuse_templates(files: Iterable[Path | str]) -> None:
    """Raise ConfigError for files that can make Snakemake run code when it reads them.

    Snakemake has read files of its command line before any workflow can look at them, so this
    tells that it happened; ``python -m pipeline_lib config`` looks without running anything.
    """
    for file in files:
        if TEMPLATE_KEY in read_yaml(file):
            raise ConfigError(
                "A configuration file asks Snakemake to run the code in it.",
                where=file,
                value=TEMPLATE_KEY,
                hint="Write values only. If the file is not yours, Snakemake may have run its "
                "code already: look at what it says. python -m pipeline_lib config --configfile "
                "FILE looks at a file without running it.",
            )
