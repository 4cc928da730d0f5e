"""The get_* functions that turn wildcards into input files.

inputs: CONFIG and STUDY of common.smk
outputs: input functions of the rules
steps: files of one model, operator by operator, seed by seed, checkpoint by checkpoint
"""

from pipeline_lib.checkpoints.names import FINAL
from pipeline_lib.models.files import defining_files


def get_model_records(wildcards):
    """The record of how the wildcard's model was made; a local folder has none."""
    model = CONFIG.model(wildcards.model)
    if model.source == "planted":
        return [f"data/models/{wildcards.model}/planted.json"]
    if model.source in ("hub", "package"):
        return [f"data/models/{wildcards.model}/download.json"]
    return []


def get_model_files(wildcards):
    """The files that define the wildcard's model: a local folder's, or the record of its making."""
    local = map(str, get_local_model_files(wildcards))
    return [*local, *get_model_records(wildcards)]


def get_checksums(files):
    """Params function: checksums of files that no rule makes, by name.

    Snakemake looks at an input's content only when it is newer than the output; files that are moved
    into their place are as old as they were.
    """

    def values(wildcards):
        found = files(wildcards)
        paths = found.values() if isinstance(found, dict) else found
        keep = not os.environ.get("BAGPIPE_READ_ONLY")
        cache = Path(".snakemake", "checksums.json")
        return checksums(map(Path, paths), cache, keep=keep)

    return values


def get_local_model_files(wildcards):
    """Files that define a local model; those of others are made by a rule, at whose record to look.

    They are no inputs but params: with their checksums, so that a touched file changes nothing.
    """
    model = CONFIG.model(wildcards.model)
    return defining_files(model.path) if model.source == "local" else []


def get_criterion(wildcards):
    """Rule by which neurons match heuristics: the wildcards' own, else the configured one.

    Figures of the configured rule lie in the model's folder, those of the other one in a folder of
    its name in there: the wildcard ``variant`` (one of VARIANTS).
    """
    named = wildcards.get("criterion") or wildcards.get("variant", "").strip("/")
    return named or STUDY.heuristics.rule


def get_by_rule(path):
    """Input function: a file of the wildcards' model under the rule of matching."""

    def inputs(wildcards):
        names = {**wildcards, "criterion": get_criterion(wildcards)}
        return f"<arithmetic>/{wildcards.model}/{path}".format(**names)

    return inputs


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


@reads({"": "models.{model}.checkpoints"})
def get_checkpoints(wildcards):
    """Training checkpoints that are studied beside the wildcard's model, in their order."""
    return list(CONFIG.checkpoints_of(wildcards.model))


def get_per_checkpoint(path, *, final=False):
    """Input function: files of all checkpoints, each one per operator; also of the model itself."""

    def inputs(wildcards):
        names = [*get_checkpoints(wildcards), *([FINAL] if final else [])]
        pattern = f"<arithmetic>/{wildcards.model}/checkpoints/{{checkpoint}}/{path}"
        each = {"operator": STUDY.operators} if "{operator}" in path else {}
        return expand(
            pattern, checkpoint=names, criterion=get_criterion(wildcards), **each
        )

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
        "matches": [f"{folder}/checkpoints/{wildcards.criterion}_matches.csv"],
    }


def get_per_operator(path):
    """Input function: the study's files of one stage, one per operator in their order."""

    def inputs(wildcards):
        return expand(
            f"<arithmetic>/{wildcards.model}/{path}",
            operator=STUDY.operators,
            criterion=get_criterion(wildcards),
        )

    return inputs


def get_probes_for_auto(wildcards):
    """Probe tables of all operators, where they decide the first layer of heuristics."""
    neurons = CONFIG.arithmetic_for(wildcards.model).neurons
    if neurons.first_heuristics_layer != "auto":
        return []
    return get_per_operator("probes/{operator}.csv")(wildcards)


def get_exact_for_ranking(wildcards):
    """Exact effects of the wildcards' operator, where neurons are ranked by them."""
    if CONFIG.arithmetic_for(wildcards.model).neurons.ranking != "exact":
        return []
    return ["<arithmetic>/{model}/exact/{operator}.h5".format(**wildcards)]


def get_exact_of_operators(wildcards):
    """Exact effects of every operator, where neurons are ranked by them."""
    if CONFIG.arithmetic_for(wildcards.model).neurons.ranking != "exact":
        return []
    return get_per_operator("exact/{operator}.h5")(wildcards)


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
    """Prompt pairs of one seed, one file per operator: the engine is tested on some.

    A seed of the attribution, so that another seed of the study does not repeat the test, and with
    it all that waits for it.
    """
    seed = CONFIG.arithmetic_for(wildcards.model).attribution.seeds[0]
    path = f"prompts/{{operator}}/counterfactual_seed{seed}.csv"
    return get_per_operator(path)(wildcards)


def get_reported_accuracy(wildcards):
    """Accuracy reported beside the model's weights (training and held-out prompts), if any."""
    model = CONFIG.model(wildcards.model)
    path = f"{model.path}/accuracy.csv" if model.source == "local" else ""
    return [path] if Path(path).is_file() else []


def get_of_every_model(path):
    """Input function: files of all models of the study, model by model, one per operator."""

    def inputs(wildcards):
        return expand(
            f"<arithmetic>/{{model}}/{path}",
            model=STUDY.models,
            operator=STUDY.operators,
            criterion=get_criterion(wildcards),
        )

    return inputs


def get_recovery_table(noise, superposition):
    """Counts of one network."""
    return (
        f"<arithmetic>/planted/recovery/noise{noise}_superposition{superposition}.csv"
    )


def get_recovery_tables(wildcards):
    """Counts of all networks: noise without superposition, superposition without noise."""
    cells = [(noise, 0.0) for noise in CONFIG.recovery.noise]
    cells += [(0.0, superposition) for superposition in CONFIG.recovery.superposition]
    return [
        get_recovery_table(float(noise), float(superposition))
        for noise, superposition in dict.fromkeys(cells)
    ]


def get_people_table(wildcards):
    """The user's own table of people of the study odd one out, where there is one."""
    return {"people": CONFIG.odd_one_out.people} if CONFIG.odd_one_out.people else {}
