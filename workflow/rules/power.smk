"""Power: where a model holds what decides whether a person exercises power (docs/power.md).

inputs: the model; pairs of sentences, shipped or a TSV of the user's
outputs: data/power/{model}/pairs.csv, tokens.csv, baselines.csv and summary.json;
         sweeps/{part}.h5, {part}_regions.csv and {part}_cost.json for residual, mlp and heads
steps: ask about both sentences of every pair; then patch every layer and token of those told apart
"""


rule power_pairs:
    """The model's answers to both sentences of every pair, before anything is patched."""
    input:
        manifest="<models>/{model}/manifest.json",
        pairs=get_own_power_pairs,
    output:
        pairs="<power>/{model}/pairs.csv",
        tokens="<power>/{model}/tokens.csv",
        baselines="<power>/{model}/baselines.csv",
        summary="<power>/{model}/summary.json",
    log:
        "logs/power_pairs/{model}.log",
    benchmark:
        "logs/benchmarks/power_pairs/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        shipped=digest(),
        own=get_checksums(get_own_power_pairs),
        asked=get_power_question,
        status=get_study_settings("power", "alignment", "swept"),
        seed=CONFIG.power.seed,
        code=get_code("power_pairs"),
    message:
        "Asking {wildcards.model} about every pair of sentences"
    script:
        "../scripts/power_pairs.py"


rule power_sweep:
    """Activations of one part of the model, patched at every layer and token of the pairs."""
    input:
        manifest="<models>/{model}/manifest.json",
        pairs="<power>/{model}/pairs.csv",
        tokens="<power>/{model}/tokens.csv",
        summary="<power>/{model}/summary.json",
    output:
        sweep="<power>/{model}/sweeps/{part}.h5",
        regions="<power>/{model}/sweeps/{part}_regions.csv",
        cost="<power>/{model}/sweeps/{part}_cost.json",
    log:
        "logs/power_sweep/{model}/{part}.log",
    benchmark:
        "logs/benchmarks/power_sweep/{model}/{part}.tsv"
    wildcard_constraints:
        part="|".join(POWER_PARTS),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        asked=get_power_question,
        n_pairs=get_number_of_power_pairs,
        shown_pair=CONFIG.power.shown_pair,
        seed=CONFIG.power.seed,
        code=get_code("power_sweep"),
    message:
        "Patching the {wildcards.part} of {wildcards.model} token by token"
    script:
        "../scripts/power_sweep.py"
