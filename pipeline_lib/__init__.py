"""Bagpipe's library: how language models compute, as arrays and tables in, arrays and tables out.

Rooms are loaded when they are first used: ``import pipeline_lib`` is quick, and what a script does
not use it does not depend on.
"""

import importlib
import pkgutil
from types import ModuleType

__version__ = "0.1.0"

_ROOMS = tuple(
    module.name for module in pkgutil.iter_modules(__path__) if module.name != "__main__"
)


def __getattr__(name: str) -> ModuleType:
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS])
