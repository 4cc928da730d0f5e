"""Command line of the library: ``python -m pipeline_lib --help``."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from pipeline_lib import config as configuration
from pipeline_lib.config.docs import TABLE_MARKERS
from pipeline_lib.errors import BagpipeError, ConfigError
from pipeline_lib.fingerprint import explain

ROOT = Path(__file__).resolve().parents[1]
PRESETS = ROOT / "config" / "presets"
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.json"
README = ROOT / "config" / "README.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code, 1 after an error that was shown."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], str] = options.command
    try:
        sys.stdout.write(command(options))
    except BagpipeError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline_lib", description="Bagpipe's tools.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    schema = commands.add_parser("schema", help="schema and key table of the configuration")
    schema.add_argument("--write", action="store_true", help="update the generated files")
    schema.set_defaults(command=_schema)

    config = commands.add_parser("config", help="check configuration files and show all values")
    default = [ROOT / "config" / "config.yaml"]
    config.add_argument("--configfile", nargs="+", type=Path, default=default, metavar="FILE")
    config.set_defaults(command=_config)

    code = commands.add_parser("fingerprint", help="modules that a script's fingerprint covers")
    code.add_argument("script", type=Path)
    code.set_defaults(command=_fingerprint)
    return parser


def _schema(options: argparse.Namespace) -> str:
    """Update the generated files, or say which ones are out of date (an error)."""
    stale = [path for path, text in generated_files().items() if _read(path) != text]
    if not options.write:
        if stale:
            names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
            hint = "Run: python -m pipeline_lib schema --write"
            raise ConfigError("Generated files are out of date.", where=names, hint=hint)
        return "up to date\n"
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(generated_files()[path], encoding="utf-8")
    return "".join(f"updated {path.relative_to(ROOT)}\n" for path in stale) or "up to date\n"


def generated_files() -> dict[Path, str]:
    """The files that are generated from the configuration's types, with what they must hold."""
    begin, end = TABLE_MARKERS
    readme = _read(README)
    if begin not in readme or end not in readme:
        raise ConfigError("The markers of the key table are missing.", where=README, hint=begin)
    head, tail = readme.split(begin)[0], readme.split(end)[1]
    table = configuration.docs_table(configuration.read_presets(PRESETS))
    schema = json.dumps(configuration.json_schema(), indent=2, ensure_ascii=False)
    return {SCHEMA: f"{schema}\n", README: f"{head}{begin}\n{table}{end}{tail}"}


def _config(options: argparse.Namespace) -> str:
    raw: dict[object, object] = {}
    for file in options.configfile:
        raw = configuration.merge(raw, configuration.read_yaml(file))
    checked = configuration.load_config(raw, presets=PRESETS)
    return yaml.safe_dump(checked.plain(), sort_keys=False, allow_unicode=True, width=100)


def _fingerprint(options: argparse.Namespace) -> str:
    parts = explain(options.script, root=ROOT)
    return "".join(f"{digest}  {name}\n" for name, digest in parts.items())


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    raise SystemExit(main())
