"""A JSON schema to ask questions of: what lies at a key, what is allowed there."""

from collections.abc import Iterator, Sequence
from typing import Any

Node = dict[str, Any]
Path = tuple[str | int, ...]


def dotted(path: Sequence[str | int]) -> str:
    """``("a", "b", 0)`` as ``a.b[0]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


class SchemaTree:
    """The JSON schema of the configuration, walked by keys."""

    def __init__(self, schema: Node) -> None:
        self.schema = schema

    def resolve(self, location: Sequence[Any]) -> tuple[Path, Node]:
        """The key and the schema at a pydantic error location, without its union labels."""
        node, path = self._follow(self.schema), []
        for part in location:
            child = self._child(node, part)
            if child is None and self._is_label(node, part):
                node = self._follow(
                    node.get("discriminator", {}).get("mapping", {}).get(part, node)
                )
                continue
            path.append(part if isinstance(part, int) else str(part))
            node = child or {}
        return tuple(path), node

    def children(self, node: Node) -> list[str]:
        """Names of the keys that a block may have."""
        return [name for option in self._options(node) for name in option.get("properties", {})]

    def tags(self, node: Node) -> list[str]:
        """Values that choose between the kinds of a block, for example of a model."""
        return list(node.get("discriminator", {}).get("mapping", {}))

    def choices(self, node: Node) -> list[str]:
        """The words that are allowed as a value."""
        words = [
            word
            for option in self._options(node)
            for word in (*option.get("enum", ()), *([option["const"]] if "const" in option else ()))
        ]
        return [word for word in words if isinstance(word, str)]

    def kinds(self, node: Node) -> set[str]:
        """The JSON types that a value may have."""
        return {str(option.get("type")) for option in self._options(node)}

    def walk(self) -> Iterator[tuple[Path, Node]]:
        """All keys in the order of their definition, with their schemas; blocks come first."""
        yield from self._walk((), self._follow(self.schema))

    def allowed(self, node: Node) -> str:
        """What a value may be, in words."""
        if self.tags(node):
            return f"a block whose source is one of {', '.join(self.tags(node))}"
        return " or ".join(dict.fromkeys(self._describe(option) for option in self._options(node)))

    def _walk(self, path: Path, node: Node) -> Iterator[tuple[Path, Node]]:
        for option in self._options(node):
            for name, child in option.get("properties", {}).items():
                described = {**self._follow(child), **child}
                yield (*path, name), described
                if "models" not in path or name != "arithmetic":
                    yield from self._walk((*path, name), self._follow(child))
            if self.children(_named(option)):
                yield from self._walk((*path, "<name>"), _named(option))

    def _follow(self, node: Node | str) -> Node:
        reference = node if isinstance(node, str) else node.get("$ref")
        if not reference:
            return node if isinstance(node, dict) else {}
        target: Node = self.schema
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        return self._follow(target)

    def _options(self, node: Node) -> list[Node]:
        node = self._follow(node)
        options = node.get("anyOf") or node.get("oneOf")
        return [self._follow(option) for option in options] if options else [node]

    def _child(self, node: Node, part: Any) -> Node | None:
        for option in self._options(node):
            if isinstance(part, int) and "items" in option:
                return self._follow(option["items"])
            child = option.get("properties", {}).get(part, _named(option))
            if child and not isinstance(part, int):
                return self._follow(child)
        return None

    def _is_label(self, node: Node, part: Any) -> bool:
        several = [option for option in self._options(node) if option.get("type") != "null"]
        return len(several) > 1 and (part in self.tags(node) or "discriminator" not in node)

    def _describe(self, node: Node) -> str:
        if "enum" in node or "const" in node:
            words = [str(word) for word in node.get("enum", [node.get("const")])]
            return f"one of {', '.join(words)}" if len(words) > 1 else f'"{words[0]}"'
        kind = node.get("type")
        if kind == "array":
            least, most = node.get("minItems", 0), node.get("maxItems")
            number = " (at least one)" if least else ""
            number = f" of {least}" if least and least == most else number
            return f"a list{number}, each {self.allowed(node['items'])}"
        if kind in ("integer", "number"):
            return ("an integer" if kind == "integer" else "a number") + _bounds(node)
        if kind == "string":
            example = node.get("examples", [None])[0]
            return f"text like {example}" if example else "text"
        if kind == "object":
            names = self.children(node)
            return f"a block of {', '.join(names)}" if names else "a block of names and values"
        return {"boolean": "true or false", "null": "null"}.get(str(kind), "something else")


def _named(node: Node) -> Node:
    """Schema of the values of a block whose names the user chooses (empty for other nodes)."""
    values = next(
        iter(node.get("patternProperties", {}).values()), node.get("additionalProperties")
    )
    return values if isinstance(values, dict) else {}


def _bounds(node: Node) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    above, below = node.get("exclusiveMinimum"), node.get("exclusiveMaximum")
    parts = [
        f"at least {low}" if low is not None and high is None else "",
        f"above {above}" if above is not None else "",
        f"below {below}" if below is not None else "",
        f"at most {high}" if high is not None and low is None else "",
    ]
    limits = ", ".join(part for part in parts if part)
    both = f"from {low} to {high}" if low is not None and high is not None else ""
    return f" {both or limits}" if both or limits else ""
