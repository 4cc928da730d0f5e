"""Params of the stages: the config keys that each reads, for the wildcards' model.

inputs: CONFIG and STUDY of common.smk
outputs: get_* functions for params, and which config keys they read
steps: one function for each way in which stages read their settings
"""

from functools import cache

CONFIG_KEYS = {}


def reads(keys):
    """Decorator of a param's source: it reads these config keys, which `pipeline_lib why` names.

    ``keys`` are dotted, by key of the param, "" for all of it; ``{model}`` is the wildcards' model.
    """

    def note(source):
        # the source too, or its id may become another's
        CONFIG_KEYS[id(source)] = (source, keys)
        return source

    return note


reads({"": "arithmetic.operators"})(STUDY.operators)


@cache
def get_study(model):
    """Plain values of the study's config for a model; not to be changed."""
    return CONFIG.arithmetic_for(model).model_dump(mode="json")


def get_settings(*keys):
    """Params function: plain values of the study's config at ``keys``, for the wildcard's model."""

    @reads({"": ".".join(["arithmetic", *keys])})
    def settings(wildcards):
        section = get_study(wildcards.model)
        for key in keys:
            section = section[key]
        return section

    return settings


def get_neuron_settings(*keys):
    """Params function: neuron settings that are read, and what says which layer is the first."""

    possible = [*keys, "first_heuristics_layer", "readable_accuracy"]

    @reads({key: f"arithmetic.neurons.{key}" for key in possible})
    def settings(wildcards):
        neurons = CONFIG.arithmetic_for(wildcards.model).neurons
        keys_read = [*keys, "first_heuristics_layer"]
        if neurons.first_heuristics_layer == "auto":
            keys_read += ["readable_accuracy"]
        return {key: getattr(neurons, key) for key in keys_read}

    return settings


@reads({key: f"arithmetic.exact.{key}" for key in type(STUDY.exact).model_fields})
def get_exact_settings(wildcards):
    """Settings of the exact effects; a ranking by them needs those of every neuron."""
    study = CONFIG.arithmetic_for(wildcards.model)
    return study.params("exact")["exact"] | {"neurons": study.patched_neurons}


@reads({"": "arithmetic.attribution.steps"})
def get_gradients(wildcards):
    """Gradients per prompt behind an attribution: one, or the steps of integrated gradients."""
    attribution = CONFIG.arithmetic_for(wildcards.model).attribution
    return attribution.steps if attribution.method == "integrated" else 1


@reads(
    {
        "method": "arithmetic.attribution.method",
        "steps": "arithmetic.attribution.steps",
        "exact": "arithmetic.exact",
    }
)
def get_ranking_settings(wildcards):
    """How a checkpoint's neurons are ranked: by attribution, or by exact effects in some prompts."""
    study = CONFIG.arithmetic_for(wildcards.model)
    settings = get_section("attribution", "method")(wildcards)
    settings["steps"] = get_gradients(wildcards)
    if study.neurons.ranking == "exact":
        settings["exact"] = {"prompts": study.exact.prompts, "seed": study.exact.seed}
    return settings


def get_section(section, *keys):
    """Params function: the values of some keys of one section of the study."""

    @reads({key: f"arithmetic.{section}.{key}" for key in keys})
    def settings(wildcards):
        values = get_study(wildcards.model)[section]
        return {key: values[key] for key in keys}

    return settings


@reads(
    {
        **{
            key: f"arithmetic.prompts.{key}"
            for key in ("min_operand", "max_operand", "few_shot")
        },
        "seed": "arithmetic.prompts.discovery_seed",
    }
)
def get_context_settings(wildcards):
    """What decides the few-shot examples; without any, the seed decides nothing."""
    prompts = CONFIG.arithmetic_for(wildcards.model).prompts
    seed = {"seed": prompts.discovery_seed} if prompts.few_shot else {"seed": 0}
    return prompts.params("min_operand", "max_operand", "few_shot") | seed


@reads({key: f"arithmetic.circuit.{key}" for key in ("heads", "n_heads", "target")})
def get_circuit_settings(wildcards):
    """How the circuit of the wildcards' operator is chosen; the target counts for `auto` alone."""
    circuit = CONFIG.arithmetic_for(wildcards.model).params("circuit")["circuit"]
    own = {key: circuit[key].get(wildcards.operator) for key in ("heads", "n_heads")}
    return own | {"target": circuit["target"] if own["n_heads"] == "auto" else 1.0}


def get_own_operator(wildcards):
    """The wildcard's operator, as the only one of a figure."""
    return [wildcards.operator]


@reads({key: f"models.{{model}}.{key}" for key in ("dtype", "device_map")})
def get_model_settings(wildcards):
    """How the wildcard's model is loaded."""
    model = CONFIG.model(wildcards.model)
    return {"dtype": model.dtype, "device_map": model.device_map}


@reads({"": "models.{model}"})
def get_model_source(wildcards):
    """Where the wildcard's model comes from."""
    return CONFIG.model(wildcards.model).origin


def get_published_repo(wildcards):
    """The repository whose published values belong to the wildcard's model; None for others."""
    return CONFIG.model(wildcards.model).origin.get("repo")


def named(keys):
    """Config keys of the arithmetic study by their last parts."""
    return {key.split(".")[-1]: f"arithmetic.{key}" for key in keys}


def get_named_settings(*keys):
    """Params function: the values of config keys (dotted), under the last part of each."""

    @reads(named(keys))
    def settings(wildcards):
        parts = [key.split(".") for key in keys]
        return {part[-1]: get_settings(*part)(wildcards) for part in parts}

    return settings


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

    read = [*keys, "figures.dpi", "heuristics.rule"]

    @reads(named(read))
    def settings(wildcards):
        return {
            **get_figure_settings(*keys)(wildcards),
            "rule": get_criterion(wildcards),
        }

    return settings


@reads(named(["models", "heuristics.rule", "figures.dpi"]))
def get_settings_of_all_models(wildcards):
    """Names of the models, resolution, and the rule by which neurons match heuristics."""
    rule_and_models = {"models": STUDY.models, "rule": get_criterion(wildcards)}
    return {**rule_and_models, "dpi": STUDY.figures.dpi}


def get_scorecard_settings(wildcards):
    """Where the wildcards' model comes from on the hub, and the run's conditions."""
    model = CONFIG.model(wildcards.model).origin
    source = {key: model.get(key) for key in ("repo", "revision")}
    keys = ("prompts.max_operand", "heuristics.threshold")
    return source | get_rule_settings(*keys)(wildcards)


def get_settings_over_training(*keys):
    """Params function: a figure's settings and the names of the model's checkpoints."""

    read = [*keys, "figures.dpi", "heuristics.rule"]

    @reads(named(read) | {"checkpoints": "models.{model}.checkpoints"})
    def settings(wildcards):
        found = get_rule_settings(*keys)(wildcards)
        return {**found, "checkpoints": get_checkpoints(wildcards)}

    return settings


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
