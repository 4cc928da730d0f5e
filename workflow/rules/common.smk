"""Configuration, and the get_* functions of params and resources.

inputs: the config, already merged by Snakemake from config files and the command line
outputs: CONFIG, STUDY, MODEL_NAMES, CHECKPOINTS, and functions that turn wildcards into params, resources
steps: make the library importable, validate the config, define the functions
"""

import os
import re
import sys
from functools import cache
from pathlib import Path

ROOT = Path(workflow.current_basedir).resolve().parents[1]
sys.path.insert(0, str(ROOT))
# Idle threads must not spin: the jobs of a workstation share its cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

from snakemake.exceptions import WorkflowError

from pipeline_lib.code_memory import LEDGER, keep, open_reader, record
from pipeline_lib.config import load_config, refuse_templates
from pipeline_lib.errors import BagpipeError
from pipeline_lib.figures.catalog import RULES, VARIANTS
from pipeline_lib.fingerprint import combined
from pipeline_lib.models.checksums import checksums
from pipeline_lib.pieces import MINUTES_VARIABLE
from pipeline_lib.preflight import check_workspace
from pipeline_lib.warm.launch import environment_of_jobs

# On a cluster, rules that share an allocation run in a Snakemake of their own.
IS_GROUP = workflow.remote_exec and len(workflow.dag_settings.target_jobs) > 1
os.environ.update(environment_of_jobs(ROOT, os.environ, share_models=IS_GROUP))

try:
    refuse_templates(workflow.configfiles)
    CONFIG = load_config(config, presets=ROOT / "config" / "presets")
    check_workspace(CONFIG, Path.cwd())
except BagpipeError as error:
    raise WorkflowError(str(error)) from None

os.environ[MINUTES_VARIABLE] = str(CONFIG.resume_minutes)
STUDY = CONFIG.arithmetic
MODEL_NAMES = CONFIG.all_model_names()
CHECKPOINTS = sorted({c for m in CONFIG.models.values() for c in m.checkpoints})


MEMORY = Path(".snakemake/bagpipe")
READER = open_reader(ROOT, MEMORY / "analyses.json")
CODE = {}


def get_code(script, *modules):
    """Fingerprint of the code a stage runs: its script and the library modules it imports."""
    parts = READER.explain(ROOT / "workflow" / "scripts" / f"{script}.py", *modules)
    name = combined(parts)
    CODE[name] = parts
    return name


def remember_code():
    """Keep the analyses of code for the next start, unless this one must leave no trace."""
    if not os.environ.get("BAGPIPE_READ_ONLY"):
        keep(READER, MEMORY / "analyses.json")


def record_code():
    """At the start of a run: keep what its fingerprints are made of, for `pipeline_lib why`."""
    record(CODE, MEMORY / LEDGER)


CONFIG_KEYS = {}


def reading(keys, source):
    """The source of a param, noted as one that reads config keys: `pipeline_lib why` names them.

    ``keys`` are dotted, by key of the param, "" for all of it; ``{model}`` is the wildcards' model.
    """
    CONFIG_KEYS[id(source)] = (
        source,
        keys,
    )  # the source too, or its id may become another's
    return source


reading({"": "arithmetic.operators"}, STUDY.operators)


@cache
def get_study(model):
    """Plain values of the study's config for a model; not to be changed."""
    return CONFIG.arithmetic_for(model).model_dump(mode="json")


def get_settings(*keys):
    """Params function: plain values of the study's config at ``keys``, for the wildcard's model."""

    def settings(wildcards):
        section = get_study(wildcards.model)
        for key in keys:
            section = section[key]
        return section

    return reading({"": ".".join(["arithmetic", *keys])}, settings)


def get_neuron_settings(*keys):
    """Params function: neuron settings that are read, and what says which layer is the first."""

    def settings(wildcards):
        neurons = CONFIG.arithmetic_for(wildcards.model).neurons
        keys_read = [*keys, "first_heuristics_layer"]
        if neurons.first_heuristics_layer == "auto":
            keys_read += ["readable_accuracy"]
        return {key: getattr(neurons, key) for key in keys_read}

    possible = [*keys, "first_heuristics_layer", "readable_accuracy"]
    return reading({key: f"arithmetic.neurons.{key}" for key in possible}, settings)


def get_exact_settings(wildcards):
    """Settings of the exact effects; a ranking by them needs those of every neuron."""
    study = CONFIG.arithmetic_for(wildcards.model)
    return study.params("exact")["exact"] | {"neurons": study.patched_neurons}


reading(
    {key: f"arithmetic.exact.{key}" for key in type(STUDY.exact).model_fields},
    get_exact_settings,
)


def get_gradients(wildcards):
    """Gradients per prompt behind an attribution: one, or the steps of integrated gradients."""
    attribution = CONFIG.arithmetic_for(wildcards.model).attribution
    return attribution.steps if attribution.method == "integrated" else 1


reading({"": "arithmetic.attribution.steps"}, get_gradients)


def get_ranking_settings(wildcards):
    """How a checkpoint's neurons are ranked: by attribution, or by exact effects in some prompts."""
    study = CONFIG.arithmetic_for(wildcards.model)
    settings = get_section("attribution", "method")(wildcards)
    settings["steps"] = get_gradients(wildcards)
    if study.neurons.ranking == "exact":
        settings["exact"] = {"prompts": study.exact.prompts, "seed": study.exact.seed}
    return settings


reading(
    {
        "method": "arithmetic.attribution.method",
        "steps": "arithmetic.attribution.steps",
        "exact": "arithmetic.exact",
    },
    get_ranking_settings,
)


def get_section(section, *keys):
    """Params function: the values of some keys of one section of the study."""

    def settings(wildcards):
        values = get_study(wildcards.model)[section]
        return {key: values[key] for key in keys}

    return reading({key: f"arithmetic.{section}.{key}" for key in keys}, settings)


def get_context_settings(wildcards):
    """What decides the few-shot examples; without any, the seed decides nothing."""
    prompts = CONFIG.arithmetic_for(wildcards.model).prompts
    seed = {"seed": prompts.discovery_seed} if prompts.few_shot else {"seed": 0}
    return prompts.params("min_operand", "max_operand", "few_shot") | seed


reading(
    {
        **{
            key: f"arithmetic.prompts.{key}"
            for key in ("min_operand", "max_operand", "few_shot")
        },
        "seed": "arithmetic.prompts.discovery_seed",
    },
    get_context_settings,
)


def get_circuit_settings(wildcards):
    """How the circuit of the wildcards' operator is chosen; the target counts for `auto` alone."""
    circuit = CONFIG.arithmetic_for(wildcards.model).params("circuit")["circuit"]
    own = {key: circuit[key].get(wildcards.operator) for key in ("heads", "n_heads")}
    return own | {"target": circuit["target"] if own["n_heads"] == "auto" else 1.0}


reading(
    {key: f"arithmetic.circuit.{key}" for key in ("heads", "n_heads", "target")},
    get_circuit_settings,
)


def get_own_operator(wildcards):
    """The wildcard's operator, as the only one of a figure."""
    return [wildcards.operator]


def get_model_settings(wildcards):
    """How the wildcard's model is loaded."""
    model = CONFIG.model(wildcards.model)
    return {"dtype": model.dtype, "device_map": model.device_map}


reading(
    {key: f"models.{{model}}.{key}" for key in ("dtype", "device_map")},
    get_model_settings,
)


def get_model_source(wildcards):
    """Where the wildcard's model comes from."""
    return CONFIG.model(wildcards.model).origin


reading({"": "models.{model}"}, get_model_source)


def get_published_repo(wildcards):
    """The repository whose published values belong to the wildcard's model; None for others."""
    return CONFIG.model(wildcards.model).origin.get("repo")


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


def get_growing(amount):
    """Resource function: an amount that grows with every attempt."""

    def resource(wildcards, attempt):
        return amount * attempt

    return resource


def get_gpus(wildcards):
    """GPUs of a stage that runs a model."""
    return CONFIG.model(wildcards.model).gpus


def named(keys):
    """Config keys of the arithmetic study by their last parts."""
    return {key.split(".")[-1]: f"arithmetic.{key}" for key in keys}


def get_named_settings(*keys):
    """Params function: the values of config keys (dotted), under the last part of each."""

    def settings(wildcards):
        parts = [key.split(".") for key in keys]
        return {part[-1]: get_settings(*part)(wildcards) for part in parts}

    return reading(named(keys), settings)


def get_figure_settings(*keys):
    """Params function: the values of a figure's config keys, and the resolution of figures."""
    return get_named_settings(*keys, "figures.dpi")


def get_neuron_figure_settings(*keys):
    """Params function: neuron settings that a figure reads, and the resolution of figures."""

    def settings(wildcards):
        neurons = {"neurons": get_neuron_settings(*keys)(wildcards)}
        return neurons | get_figure_settings()(wildcards)

    return settings


def get_rule_settings(*keys):
    """Params function: a figure's settings and the rule by which its neurons match heuristics."""

    def settings(wildcards):
        return {
            **get_figure_settings(*keys)(wildcards),
            "rule": get_criterion(wildcards),
        }

    read = [*keys, "figures.dpi", "heuristics.rule"]
    return reading(named(read), settings)


def get_settings_of_all_models(wildcards):
    """Names of the models, resolution, and the rule by which neurons match heuristics."""
    rule_and_models = {"models": STUDY.models, "rule": get_criterion(wildcards)}
    return {**rule_and_models, "dpi": STUDY.figures.dpi}


reading(named(["models", "heuristics.rule", "figures.dpi"]), get_settings_of_all_models)


def get_scorecard_settings(wildcards):
    """Where the wildcards' model comes from on the hub, and the run's conditions."""
    model = CONFIG.model(wildcards.model).origin
    source = {key: model.get(key) for key in ("repo", "revision")}
    keys = ("prompts.max_operand", "heuristics.threshold")
    return source | get_rule_settings(*keys)(wildcards)


def get_settings_over_training(*keys):
    """Params function: a figure's settings and the names of the model's checkpoints."""

    def settings(wildcards):
        found = get_rule_settings(*keys)(wildcards)
        return {**found, "checkpoints": get_checkpoints(wildcards)}

    read = [*keys, "figures.dpi", "heuristics.rule"]
    return reading(
        named(read) | {"checkpoints": "models.{model}.checkpoints"}, settings
    )


def get_recovery_network(wildcards):
    """Settings of the wildcards' network."""
    cell = {
        "noise": float(wildcards.noise),
        "superposition": float(wildcards.superposition),
    }
    return cell | CONFIG.recovery.params("decoys", "seed")


def get_recovery_limits(wildcards):
    """What decides whether a neuron matches a heuristic of a planted network."""
    return {
        **STUDY.heuristics.params(
            "kind", "threshold", "max_base_rate", "fdr", "min_share"
        ),
        "calibration": STUDY.heuristics.calibration.params(
            "nulls", "surrogates", "per_layer"
        ),
        **CONFIG.recovery.params("multi_value_prompts"),
    }
