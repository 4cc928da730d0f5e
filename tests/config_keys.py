"""The keys of a section of the configuration, as its classes have them."""

from collections.abc import Iterator

from pipeline_lib.config.base import Section


def keys_of(section: type[Section], prefix: str = "") -> Iterator[str]:
    """Dotted names of all values of a section and of the sections inside it."""
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from keys_of(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


def nested(key: str, value: str) -> str:
    """A dotted key with its value, as YAML."""
    first, _, rest = key.partition(".")
    return f"{{{first}: {nested(rest, value) if rest else value}}}"
