"""Configuration and the get_* functions of the rules.

inputs: the config, already merged by Snakemake from config files and the command line
outputs: CONFIG, STUDY, MODEL_NAMES, and functions that turn wildcards into inputs, params, resources
steps: make the library importable, validate the config, define the functions
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(workflow.current_basedir).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.update(
    PYTHONPATH=os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")]))
)
# Idle threads must not spin: the jobs of a workstation share its cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

from snakemake.exceptions import WorkflowError

from pipeline_lib.checkpoints.names import FINAL
from pipeline_lib.config import load_config
from pipeline_lib.errors import BagpipeError
from pipeline_lib.figures.catalog import PAGES, STUDY_FIGURES, figures_of
from pipeline_lib.fingerprint import fingerprint
from pipeline_lib.preflight import check_workspace

try:
    CONFIG = load_config(config, presets=ROOT / "config" / "presets")
    check_workspace(CONFIG, Path.cwd())
except BagpipeError as error:
    raise WorkflowError(str(error)) from None

STUDY = CONFIG.arithmetic
MODEL_NAMES = CONFIG.all_model_names()
CHECKPOINTS = sorted({c for m in CONFIG.models.values() for c in m.checkpoints})
FORMATS = ["pdf", "png", "csv"]


def get_code(script, *modules):
    """Fingerprint of the code a stage runs: its script and the library modules it imports."""
    return fingerprint(
        ROOT / "workflow" / "scripts" / f"{script}.py", *modules, root=ROOT
    )


def get_settings(*keys):
    """Params function: plain values of the study's config at ``keys``, for the wildcard's model."""

    def settings(wildcards):
        section = CONFIG.arithmetic_for(wildcards.model).model_dump(mode="json")
        for key in keys:
            section = section[key]
        return section

    return settings


def get_neuron_settings(*keys):
    """Params function: neuron settings that are read, and what says which layer is the first."""

    def settings(wildcards):
        neurons = CONFIG.arithmetic_for(wildcards.model).neurons
        keys_read = [*keys, "first_heuristics_layer"]
        if neurons.first_heuristics_layer == "auto":
            keys_read += ["readable_accuracy"]
        return {key: getattr(neurons, key) for key in keys_read}

    return settings


def get_section(section, *keys):
    """Params function: the values of some keys of one section of the study."""

    def settings(wildcards):
        values = CONFIG.arithmetic_for(wildcards.model).model_dump(mode="json")
        return {key: values[section][key] for key in keys}

    return settings


def get_model_settings(wildcards):
    """How the wildcard's model is loaded."""
    model = CONFIG.model(wildcards.model)
    return {"dtype": model.dtype, "device_map": model.device_map}


def get_model_source(wildcards):
    """Where the wildcard's model comes from."""
    return CONFIG.model(wildcards.model).origin


def get_model_files(wildcards):
    """The files that define the wildcard's model: a local folder's, or the record of a download."""
    model = CONFIG.model(wildcards.model)
    if model.source == "hub":
        return [f"data/models/{wildcards.model}/download.json"]
    return sorted(
        str(path)
        for pattern in (
            "*.safetensors",
            "config.json",
            "tokenizer*.json",
            "*.index.json",
        )
        for path in Path(model.path).glob(pattern)
    )


def get_counterfactual_pool(wildcards):
    """Discovery prompts of all operators: counterfactuals are drawn from them together."""
    return expand(
        "<arithmetic>/{model}/prompts/{operator}/discovery.csv",
        model=wildcards.model,
        operator=STUDY.operators,
    )


def get_attribution_inputs(suffix):
    """Input function: one file per counterfactual seed that attribution pools."""

    def inputs(wildcards):
        seeds = CONFIG.arithmetic_for(wildcards.model).attribution.seeds
        return [suffix.format(seed=seed, **wildcards) for seed in seeds]

    return inputs


def get_attribution_pairs(wildcards):
    """Prompt pairs that attribution pools, operator by operator and seed by seed."""
    seeds = CONFIG.arithmetic_for(wildcards.model).attribution.seeds
    path = f"<arithmetic>/{wildcards.model}/prompts/{{operator}}/counterfactual_seed{{seed}}.csv"
    return expand(path, operator=STUDY.operators, seed=seeds)


def get_checkpoints(wildcards):
    """Training checkpoints that are studied beside the wildcard's model, in their order."""
    return list(CONFIG.checkpoints_of(wildcards.model))


def get_per_checkpoint(path, *, final=False):
    """Input function: files of all checkpoints, each one per operator; also of the model itself."""

    def inputs(wildcards):
        names = [*get_checkpoints(wildcards), *([FINAL] if final else [])]
        pattern = f"<arithmetic>/{wildcards.model}/checkpoints/{{checkpoint}}/{path}"
        each = {"operator": STUDY.operators} if "{operator}" in path else {}
        return expand(pattern, checkpoint=names, **each)

    return inputs


def get_labels_over_training(wildcards):
    """Labels of all checkpoints and then of the model itself, each one per operator."""
    own = get_per_checkpoint("{operator}_labelled.csv")(wildcards)
    return own + get_per_operator("prompts/{operator}/labelled.csv")(wildcards)


def get_checkpoint_files(wildcards):
    """What differs between a checkpoint and the model itself, which earlier stages dealt with."""
    folder = f"<arithmetic>/{wildcards.model}"
    if wildcards.checkpoint == FINAL:
        return {
            "manifest": f"<models>/{wildcards.model}/manifest.json",
            "means": f"{folder}/means.h5",
            "neurons": get_per_operator("neurons/{operator}.csv")(wildcards),
            "labelled": get_per_operator("prompts/{operator}/labelled.csv")(wildcards),
            "matches": [],
        }
    own = f"checkpoints/{wildcards.checkpoint}/{{operator}}"
    return {
        "manifest": f"<models>/{wildcards.model}@{wildcards.checkpoint}/manifest.json",
        "means": f"{folder}/checkpoints/{wildcards.checkpoint}/means.h5",
        "neurons": get_per_operator(f"{own}_neurons.csv")(wildcards),
        "labelled": get_per_operator(f"{own}_labelled.csv")(wildcards),
        "matches": [f"{folder}/checkpoints/matches.csv"],
    }


def get_mem_mb(wildcards, attempt):
    """Memory of a stage that runs a model: its weights twice and room for one batch, in MB."""
    weights = sum(
        Path(name).stat().st_size
        for name in get_model_files(wildcards)
        if Path(name).exists()
    )
    return attempt * (2000 + 2 * weights // 2**20)


def get_runtime(wildcards, attempt):
    """Wall time of a stage that runs a model, in minutes; doubles when a job is tried again."""
    return CONFIG.model(wildcards.model).runtime * 2 ** (attempt - 1)


def get_gpus(wildcards):
    """GPUs of a stage that runs a model."""
    return CONFIG.model(wildcards.model).gpus


def get_per_operator(path):
    """Input function: the study's files of one stage, one per operator in their order."""

    def inputs(wildcards):
        return expand(
            f"<arithmetic>/{wildcards.model}/{path}", operator=STUDY.operators
        )

    return inputs


def get_probes_for_auto(wildcards):
    """Probe tables of all operators, where they decide the first layer of heuristics."""
    neurons = CONFIG.arithmetic_for(wildcards.model).neurons
    if neurons.first_heuristics_layer != "auto":
        return []
    return get_per_operator("probes/{operator}.csv")(wildcards)


def get_per_seed(path):
    """Input function: the study's files of one stage, one per operator and seed."""

    def inputs(wildcards):
        pattern = f"<arithmetic>/{wildcards.model}/{path}"
        return expand(pattern, operator=STUDY.operators, seed=STUDY.seeds)

    return inputs


def get_effects_of_operator(wildcards):
    """Effects of the wildcards' operator, one file per seed."""
    pattern = (
        f"<arithmetic>/{wildcards.model}/effects/{wildcards.operator}_seed{{seed}}.h5"
    )
    return expand(pattern, seed=STUDY.seeds)


def get_verification_pairs(wildcards):
    """Prompt pairs of the first seed, one file per operator: the engine is tested on some."""
    path = f"prompts/{{operator}}/counterfactual_seed{STUDY.seeds[0]}.csv"
    return get_per_operator(path)(wildcards)


def get_reported_accuracy(wildcards):
    """Accuracy reported beside the model's weights (training and held-out prompts), if any."""
    model = CONFIG.model(wildcards.model)
    path = f"{model.path}/accuracy.csv" if model.source == "local" else ""
    return [path] if Path(path).is_file() else []


def get_named_settings(*keys):
    """Params function: the values of config keys (dotted), under the last part of each."""

    def settings(wildcards):
        values = CONFIG.arithmetic_for(wildcards.model).params(*keys)
        return {key.split(".")[-1]: values[key] for key in keys}

    return settings


def get_figure_settings(*keys):
    """Params function: the values of a figure's config keys, and the resolution of figures."""
    return get_named_settings(*keys, "figures.dpi")


def get_scorecard_settings(wildcards):
    """Where the wildcards' model comes from on the hub, and the run's conditions."""
    model = CONFIG.model(wildcards.model).origin
    source = {key: model.get(key) for key in ("repo", "revision")}
    keys = ("prompts.max_operand", "heuristics.threshold")
    return source | get_figure_settings(*keys)(wildcards)


def get_settings_over_training(*keys):
    """Params function: a figure's settings and the names of the model's checkpoints."""

    def settings(wildcards):
        found = get_figure_settings(*keys)(wildcards)
        return {**found, "checkpoints": get_checkpoints(wildcards)}

    return settings


def get_figure_outputs(name, title, caption=None, folder="{model}"):
    """Output files of a figure: PDF, PNG and the numbers; PNG and numbers enter the report.

    ``caption`` names its text where that is not the figure's own name, ``folder`` what it is of.
    """
    path = f"<figures>/arithmetic/{folder}/{name}"
    in_report = {
        "caption": f"../report/{caption or name}.rst",
        "category": "Arithmetic",
        "subcategory": folder.replace("_", " "),
    }
    return {
        "pdf": f"{path}.pdf",
        "png": report(
            f"{path}.png", labels={"figure": title, "view": "image"}, **in_report
        ),
        "csv": report(
            f"{path}.csv", labels={"figure": title, "view": "numbers"}, **in_report
        ),
    }


def get_page_outputs(name, has_parts=True):
    """Output files of a page to browse: the page, its preview, a folder for what it loads later."""
    folder = "<figures>/arithmetic/{model}/browse"
    outputs = {
        "page": f"{folder}/{name}.html",
        "preview": f"<arithmetic>/{{model}}/browse/{name}.json",
    }
    if has_parts:
        outputs["data"] = directory(f"{folder}/{name}_data")
    return outputs


def get_of_every_model(path):
    """Input function: files of all models of the study, model by model, one per operator."""

    def inputs(wildcards):
        return expand(
            f"<arithmetic>/{{model}}/{path}",
            model=STUDY.models,
            operator=STUDY.operators,
        )

    return inputs


def get_all_figures(wildcards):
    """Every figure, table and page of the arithmetic study; none if it is switched off."""
    models = STUDY.models if STUDY.enabled else []
    names = [
        f"{model}/{figure}" for model in models for figure in get_figures_of(model)
    ]
    names += [f"all_models/{figure}" for figure in STUDY_FIGURES if models]
    figures = expand("<figures>/arithmetic/{name}.{format}", name=names, format=FORMATS)
    pages = expand(
        "<figures>/arithmetic/{model}/browse/{page}.html",
        model=models,
        page=[*PAGES, "index"],
    )
    return figures + pages


def get_figures_of(model):
    """Names of a model's figures and tables; those over training need checkpoints."""
    over_training = bool(CONFIG.checkpoints_of(model))
    return figures_of(model, STUDY.models, STUDY.operators, over_training=over_training)


def write_report():
    """After a run of everything: Snakemake's report, and a word on where things are."""
    if not set(workflow.dag_settings.targets) <= {"all", "arithmetic"}:
        return
    paths = [Path(workflow.pathvars.apply(path)) for path in get_all_figures(None)]
    if not paths:
        return
    folders = sorted({str(path.parent) for path in paths if path.suffix == ".pdf"})
    sys.stderr.write(f"\nFigures and tables: {', '.join(folders)}\n")
    indexes = [str(path) for path in paths if path.name == "index.html"]
    sys.stderr.write(f"Pages to browse:    {', '.join(indexes)}\n")
    report_file = "figs/report.html"
    # The same command line asks the same configuration for its report.
    command = [sys.executable, "-m", "snakemake", *sys.argv[1:], "--nolock"]
    command += ["--report", report_file]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        sys.stderr.write(f"The report could not be written:\n{made.stderr}\n")
    else:
        sys.stderr.write(f"Report:             {report_file}\n")
