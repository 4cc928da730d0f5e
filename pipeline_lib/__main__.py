"""Command line of the library: ``python -m pipeline_lib --help``.

Commands import what they need themselves: some have to answer at once.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipeline_lib.errors import ArtifactError, BagpipeError, ConfigError

if TYPE_CHECKING:
    from pipeline_lib.config import Config
    from pipeline_lib.jobs.description import Description

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_CONFIG = ROOT / "config" / "config.yaml"
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
    _add_config_options(config)
    config.set_defaults(command=_config)

    plan = commands.add_parser("plan", help="jobs, FLOPs, hours, memory and disk of a run")
    _add_config_options(plan)
    plan.add_argument(
        "--study",
        nargs="+",
        type=_study,
        metavar="STUDY",
        help="these studies alone, as their targets; else all that are switched on",
    )
    rate = plan.add_mutually_exclusive_group()
    rate.add_argument("--throughput", type=_positive, metavar="TFLOPS", help="of one job")
    rate.add_argument("--calibrate", action="store_true", help="measure it here (10 seconds)")
    plan.add_argument("--csv", type=Path, metavar="FILE", help="write the table there too")
    plan.set_defaults(command=_plan)

    check = commands.add_parser(
        "check",
        help="whether all results are whole, and what repairs those that are not",
        description="Read every result: checksums, shapes, provenance; models against their "
        "manifests. Name what is damaged, its rule, and the commands that repair it (exit code 1). "
        "Nothing is changed.",
    )
    check.add_argument(
        "folders",
        nargs="*",
        type=Path,
        metavar="FOLDER",
        help="look here alone (default: data and figs); run it where snakemake runs",
    )
    check.add_argument(
        "--configfile", nargs="+", default=[], metavar="FILE", help="of your run, for the commands"
    )
    check.add_argument(
        "--remove-leftovers",
        action="store_true",
        help="delete temporary files of killed runs, if no process of this machine owns them",
    )
    check.set_defaults(command=_check)
    _add_run_commands(commands)

    code = commands.add_parser("fingerprint", help="modules that a script's fingerprint covers")
    code.add_argument("script", type=Path)
    code.set_defaults(command=_fingerprint)
    return parser


def _add_run_commands(commands: Any) -> None:
    """Commands that say how things stand with a run; both only read."""
    for name, command, text in (
        ("why", _why, "which jobs have to run, and because of which key, file or module"),
        ("status", _status, "what is done, running, failed and left, with estimates"),
    ):
        parser = commands.add_parser(name, help=text, description=f"Says {text}. Writes nothing.")
        parser.add_argument(
            "targets", nargs="*", metavar="TARGET", help="rules or files, as of snakemake; else all"
        )
        _add_config_options(parser)
        parser.set_defaults(command=command)


def _add_config_options(command: argparse.ArgumentParser) -> None:
    laid = "laid over config/config.yaml, as snakemake does"
    command.add_argument(
        "--configfile", nargs="+", type=Path, default=[], metavar="FILE", help=laid
    )
    command.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help=laid)


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
    from pipeline_lib import config as configuration
    from pipeline_lib.config.docs import TABLE_MARKERS

    begin, end = TABLE_MARKERS
    readme = _read(README)
    if begin not in readme or end not in readme:
        raise ConfigError("The markers of the key table are missing.", where=README, hint=begin)
    head, tail = readme.split(begin)[0], readme.split(end)[1]
    table = configuration.docs_table(configuration.read_presets(PRESETS))
    schema = json.dumps(configuration.json_schema(), indent=2, ensure_ascii=False)
    return {SCHEMA: f"{schema}\n", README: f"{head}{begin}\n{table}{end}{tail}"}


def _config(options: argparse.Namespace) -> str:
    checked = _load(options)
    return yaml.safe_dump(checked.plain(), sort_keys=False, allow_unicode=True, width=100)


def _study(name: str) -> str:
    from pipeline_lib import config as configuration

    names = ("arithmetic", *configuration.SISTERS)
    if name not in names:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(names)}")
    return name


def _load(options: argparse.Namespace) -> "Config":
    """The configuration of the run that snakemake would start here with the same options."""
    from pipeline_lib import config as configuration

    raw = configuration.read_yaml(DEFAULT_CONFIG)
    for file in options.configfile:
        raw = configuration.merge(raw, configuration.read_yaml(file))
    for setting in options.config:
        raw = configuration.merge(raw, _key_value(setting))
    return configuration.load_config(raw, presets=PRESETS)


def _plan(options: argparse.Namespace) -> str:
    from pipeline_lib import plan, store  # slower to import than the other commands need
    from pipeline_lib.plan.calibrate import measured_throughput
    from pipeline_lib.plan.report import ThroughputOf

    plans = plan.make_plan(_load(options), Path.cwd(), studies=options.study)
    throughput: ThroughputOf = plan.assumed_throughput
    if options.throughput:
        throughput = plan.stated_throughput(options.throughput)
    elif options.calibrate:
        throughput = measured_throughput(plans)
    if options.csv:
        store.write_table(options.csv, plan.plan_table(plans, throughput))
    return plan.plan_text(plans, throughput)


def _check(options: argparse.Namespace) -> str:
    from pipeline_lib import check  # slower to import than the other commands need

    working = Path.cwd()
    folders = options.folders or [Path(name) for name in ("data", "figs") if Path(name).is_dir()]
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError("The folder does not exist.", where=folder)
    survey = check.check_folders(folders, working)
    leftovers = check.find_leftovers(folders)
    if options.remove_leftovers:
        leftovers = check.remove_leftovers(leftovers)
    files = f"--configfile {shlex.join(options.configfile)}" if options.configfile else ""
    text = check.report_text(survey, leftovers, check.lock_state(working), files)
    if survey.findings:
        raise ArtifactError(text.rstrip())
    return text


def _why(options: argparse.Namespace) -> str:
    from pipeline_lib.code_memory import LEDGER
    from pipeline_lib.jobs.why import explanation

    return explanation(_described(options), Path.cwd() / ".snakemake" / "bagpipe" / LEDGER)


def _status(options: argparse.Namespace) -> str:
    from pipeline_lib.jobs.status import report

    with ThreadPoolExecutor(1) as meanwhile:  # Snakemake, which takes longer, is another process
        planned = meanwhile.submit(_planned_seconds, options)
        return report(_described(options), Path.cwd(), planned.result)


def _planned_seconds(options: argparse.Namespace) -> dict[str, float]:
    """Seconds of a job by stage, as `plan` expects them; none where it cannot say."""
    from pipeline_lib import plan

    try:
        plans = plan.make_plan(_load(options), Path.cwd(), studies=None)
    except BagpipeError:
        return {}
    table = plan.plan_table(plans, plan.assumed_throughput)
    table["seconds"] = 3600 * (table["core_hours"] + table["gpu_hours"])
    sums = table.groupby("stage")[["seconds", "jobs"]].sum()
    return {str(stage): row["seconds"] / row["jobs"] for stage, row in sums.iterrows()}


def _described(options: argparse.Namespace) -> "Description":
    """The jobs that snakemake would see here with the same options."""
    from pipeline_lib.jobs.description import describe

    arguments = list(options.targets)
    if options.config:
        arguments += ["--config", *options.config]
    if options.configfile:
        arguments += ["--configfile", *map(str, options.configfile)]
    return describe(arguments, Path.cwd())


def _key_value(setting: str) -> dict[str, object]:
    """One ``key=value`` of the command line, its value read as YAML like snakemake's --config."""
    key, found, value = setting.partition("=")
    try:
        if found and key:
            return {key: yaml.safe_load(value)}
    except yaml.YAMLError as error:
        raise ConfigError("--config holds no YAML.", where=key, value=str(error)) from None
    raise ConfigError("--config takes key=value.", value=setting)


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def _fingerprint(options: argparse.Namespace) -> str:
    from pipeline_lib.fingerprint import explain

    parts = explain(options.script, root=ROOT)
    return "".join(f"{digest}  {name}\n" for name, digest in parts.items())


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    raise SystemExit(main())
