"""What is generated from the configuration's types: its JSON schema and its table of keys."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pipeline_lib.config.root import Config
from pipeline_lib.config.schema import Node, SchemaTree, dotted

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
MODELS = ("LocalModel", "HubModel", "PackageModel", "PlantedModel")
TABLE_MARKERS = ("<!-- keys:begin -->", "<!-- keys:end -->")


def json_schema() -> Node:
    """JSON schema of a configuration file, in which whatever the preset gives may be left out."""
    schema = Config.model_json_schema(mode="validation")
    definitions = schema["$defs"]
    for name, node in (("Config", schema), *definitions.items()):
        if name not in (*MODELS, "ModelSizes", "ExamplePrompt"):
            node.pop("required", None)
    for name in MODELS:
        override = definitions[name]["properties"]["arithmetic"]
        definitions[name]["properties"]["arithmetic"] = {
            "$ref": "#/$defs/ArithmeticStudy",
            "description": override["description"],
        }
    return {"$schema": SCHEMA_DIALECT, "title": "Bagpipe configuration", **schema}


@cache
def schema_tree() -> SchemaTree:
    """The schema to look keys up in."""
    return SchemaTree(json_schema())


def docs_table(presets: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown table of all keys: allowed values, default (or each preset's value), meaning."""
    tree = schema_tree()
    lines = ["| key | allowed | default | meaning |", "|---|---|---|---|"]
    for path, node in tree.walk():
        is_block, optional = bool(tree.children(node)), tree.allowed(node).endswith(" or null")
        allowed = "" if is_block and not optional else _cell(tree.allowed(node))
        default = "" if is_block and not optional else _default(path, node, presets)
        key = f"**`{dotted(path)}`**" if is_block else f"`{dotted(path)}`"
        lines.append(f"| {key} | {allowed} | {default} | {_cell(node.get('description', ''))} |")
    return "\n".join(dict.fromkeys(lines)) + "\n"


def _default(path: tuple[str | int, ...], node: Node, presets: Mapping[str, Any]) -> str:
    if "default" in node:
        return f"`{_plain(node['default'])}`"
    given = {name: _find(preset, path) for name, preset in presets.items()}
    values = {name: _plain(value) for name, value in given.items() if value is not None}
    if len(set(values.values())) == 1 and len(values) == len(presets):
        return f"`{next(iter(values.values()))}`"
    return "<br>".join(f"{name}: `{value}`" for name, value in values.items())


def _find(preset: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        preset = preset.get(part) if isinstance(preset, Mapping) else None
    return preset


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_plain(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_plain, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
