"""Figures of the study power, and the page of what they show.

inputs: data/power/{model}: pairs, tokens, baselines, sweeps
outputs: figs/power/{model}/{figure}.pdf, .png, .csv and findings.md
steps: whether the model tells the sentences apart; one pair token by token; means over pairs by region
"""


rule power_baselines:
    """Whether the model tells the sentences apart, as a table."""
    input:
        baselines="<power>/{model}/baselines.csv",
    output:
        **get_study_figure("power", "table_baselines", "Told apart, table"),
    log:
        "logs/figures/power/{model}/table_baselines.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="power.table_baselines",
        settings=get_study_settings("power", "dpi"),
        code=get_code(
            "draw_sister_figure", "pipeline_lib.figures.power.table_baselines"
        ),
    message:
        "Drawing {params.figure} of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule power_told_apart:
    """The model's answers to both sentences of every pair."""
    input:
        pairs="<power>/{model}/pairs.csv",
        baselines="<power>/{model}/baselines.csv",
    output:
        **get_study_figure("power", "told_apart", "Told apart"),
    log:
        "logs/figures/power/{model}/told_apart.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="power.told_apart",
        settings=get_study_settings("power", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.power.told_apart"),
    message:
        "Drawing told_apart of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule power_pair:
    """Heat map of one pair: a part of the model, patched at every layer and token."""
    input:
        sweep="<power>/{model}/sweeps/{part}.h5",
        tokens="<power>/{model}/tokens.csv",
        pairs="<power>/{model}/pairs.csv",
    output:
        **get_study_figure("power", "pair_{part}", "One pair, {part}", "pair"),
    log:
        "logs/figures/power/{model}/pair_{part}.log",
    wildcard_constraints:
        part="|".join(POWER_PARTS),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="power.pair_{part}",
        settings=get_study_settings("power", "dpi"),
        code=get_power_figure_code("pair"),
    message:
        "Drawing pair_{wildcards.part} of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule power_regions:
    """Means over pairs, aligned by region: a part of the model, patched at every layer."""
    input:
        regions="<power>/{model}/sweeps/{part}_regions.csv",
    output:
        **get_study_figure("power", "regions_{part}", "By region, {part}", "regions"),
    log:
        "logs/figures/power/{model}/regions_{part}.log",
    wildcard_constraints:
        part="|".join(POWER_PARTS),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="power.regions_{part}",
        settings=get_study_settings("power", "dpi"),
        code=get_power_figure_code("regions"),
    message:
        "Drawing regions_{wildcards.part} of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule write_power_findings:
    """What the run found of a model: numbers from its tables, sentences that they choose."""
    input:
        baselines="<power>/{model}/baselines.csv",
        summary="<power>/{model}/summary.json",
        regions=expand("<power>/{{model}}/sweeps/{part}_regions.csv", part=POWER_PARTS),
        costs=expand("<power>/{{model}}/sweeps/{part}_cost.json", part=POWER_PARTS),
    output:
        page="<figures>/power/{model}/findings.md",
    log:
        "logs/findings/power/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        code=get_code("write_power_findings"),
    message:
        "Writing what the study power found of {wildcards.model}"
    script:
        "../scripts/write_power_findings.py"
