"""Figures of the study odd one out.

inputs: tables of data/odd_one_out/{model}/
outputs: figs/odd_one_out/{model}/*.pdf, png and csv
steps: one figure a rule; a page of findings
"""


rule odd_one_out_fig_baselines:
    """Figure: baselines."""
    input:
        summary="<odd_one_out>/{model}/baselines/summary.csv",
    output:
        **get_study_figure("odd_one_out", "baselines", "Baselines"),
    log:
        "logs/odd_one_out_fig_baselines/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="odd_one_out.baselines",
        settings=get_study_settings("odd_one_out", "dpi"),
        code=get_code(
            "draw_sister_figure", "pipeline_lib.figures.odd_one_out.baselines"
        ),
    message:
        "Drawing baselines of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule odd_one_out_fig_necessity:
    """Figure: necessity of layers."""
    input:
        necessity="<odd_one_out>/{model}/sweeps/necessity.csv",
        choice="<odd_one_out>/{model}/baselines/choice.json",
    output:
        **get_study_figure("odd_one_out", "necessity", "Necessity of layers"),
    log:
        "logs/odd_one_out_fig_necessity/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="odd_one_out.necessity",
        settings=get_study_settings("odd_one_out", "dpi"),
        code=get_code(
            "draw_sister_figure", "pipeline_lib.figures.odd_one_out.necessity"
        ),
    message:
        "Drawing necessity of layers of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule odd_one_out_fig_necessity_parts:
    """Figure: necessity of heads and MLPs."""
    input:
        necessity="<odd_one_out>/{model}/sweeps/necessity.csv",
        choice="<odd_one_out>/{model}/baselines/choice.json",
    output:
        **get_study_figure(
            "odd_one_out", "necessity_parts", "Necessity of heads and MLPs"
        ),
    log:
        "logs/odd_one_out_fig_necessity_parts/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="odd_one_out.necessity_parts",
        settings=get_study_settings("odd_one_out", "dpi"),
        code=get_code(
            "draw_sister_figure", "pipeline_lib.figures.odd_one_out.necessity_parts"
        ),
    message:
        "Drawing necessity of heads and MLPs of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule odd_one_out_fig_sufficiency:
    """Figure: sufficiency."""
    input:
        sufficiency="<odd_one_out>/{model}/sweeps/sufficiency.csv",
        choice="<odd_one_out>/{model}/baselines/choice.json",
    output:
        **get_study_figure("odd_one_out", "sufficiency", "Sufficiency"),
    log:
        "logs/odd_one_out_fig_sufficiency/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="odd_one_out.sufficiency",
        settings=get_study_settings("odd_one_out", "dpi"),
        code=get_code(
            "draw_sister_figure", "pipeline_lib.figures.odd_one_out.sufficiency"
        ),
    message:
        "Drawing sufficiency of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule odd_one_out_fig_generality:
    """Figure: generality."""
    input:
        generality="<odd_one_out>/{model}/sweeps/generality.csv",
        choice="<odd_one_out>/{model}/baselines/choice.json",
    output:
        **get_study_figure("odd_one_out", "generality", "Generality"),
    log:
        "logs/odd_one_out_fig_generality/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="odd_one_out.generality",
        settings=get_study_settings("odd_one_out", "dpi"),
        code=get_code(
            "draw_sister_figure", "pipeline_lib.figures.odd_one_out.generality"
        ),
    message:
        "Drawing generality of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule odd_one_out_fig_hydra:
    """Figure: backup heads."""
    input:
        hydra="<odd_one_out>/{model}/paths/hydra.csv",
        choice="<odd_one_out>/{model}/baselines/choice.json",
    output:
        **get_study_figure("odd_one_out", "hydra", "Backup heads"),
    log:
        "logs/odd_one_out_fig_hydra/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="odd_one_out.hydra",
        settings=get_study_settings("odd_one_out", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.odd_one_out.hydra"),
    message:
        "Drawing backup heads of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule odd_one_out_fig_paths:
    """Figure: paths to the critical slice."""
    input:
        paths="<odd_one_out>/{model}/paths/paths.csv",
        retrieval="<odd_one_out>/{model}/paths/retrieval.csv",
        choice="<odd_one_out>/{model}/baselines/choice.json",
    output:
        **get_study_figure("odd_one_out", "paths", "Paths to the critical slice"),
    log:
        "logs/odd_one_out_fig_paths/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="odd_one_out.paths",
        settings=get_study_settings("odd_one_out", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.odd_one_out.paths"),
    message:
        "Drawing paths to the critical slice of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule odd_one_out_fig_retrieval:
    """Figure: retrieval heads."""
    input:
        ablation="<odd_one_out>/{model}/paths/ablation.csv",
        choice="<odd_one_out>/{model}/baselines/choice.json",
    output:
        **get_study_figure("odd_one_out", "retrieval", "Retrieval heads"),
    log:
        "logs/odd_one_out_fig_retrieval/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="odd_one_out.retrieval",
        settings=get_study_settings("odd_one_out", "dpi"),
        code=get_code(
            "draw_sister_figure", "pipeline_lib.figures.odd_one_out.retrieval"
        ),
    message:
        "Drawing retrieval heads of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule odd_one_out_fig_subspace:
    """Figure: subspace of the super-class."""
    input:
        probe="<odd_one_out>/{model}/subspace/probe.csv",
        patches="<odd_one_out>/{model}/subspace/patches.csv",
        choice="<odd_one_out>/{model}/baselines/choice.json",
    output:
        **get_study_figure("odd_one_out", "subspace", "Subspace of the super-class"),
    log:
        "logs/odd_one_out_fig_subspace/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="odd_one_out.subspace",
        settings=get_study_settings("odd_one_out", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.odd_one_out.subspace"),
    message:
        "Drawing subspace of the super-class of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule odd_one_out_fig_neurons:
    """Figure: neurons of the critical MLP."""
    input:
        neurons="<odd_one_out>/{model}/subspace/neurons.csv",
        classes="<odd_one_out>/{model}/subspace/neuron_classes.csv",
        choice="<odd_one_out>/{model}/baselines/choice.json",
    output:
        **get_study_figure("odd_one_out", "neurons", "Neurons of the critical MLP"),
    log:
        "logs/odd_one_out_fig_neurons/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="odd_one_out.neurons",
        settings=get_study_settings("odd_one_out", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.odd_one_out.neurons"),
    message:
        "Drawing neurons of the critical MLP of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule write_odd_one_out_findings:
    """What the study found of a model, in Markdown: numbers and sentences from its tables."""
    input:
        summary="<odd_one_out>/{model}/baselines/summary.csv",
        left_out="<odd_one_out>/{model}/baselines/left_out.csv",
        choice="<odd_one_out>/{model}/baselines/choice.json",
        necessity="<odd_one_out>/{model}/sweeps/necessity.csv",
        sufficiency="<odd_one_out>/{model}/sweeps/sufficiency.csv",
        generality="<odd_one_out>/{model}/sweeps/generality.csv",
        critical="<odd_one_out>/{model}/sweeps/critical.json",
        costs="<odd_one_out>/{model}/sweeps/costs.csv",
        hydra="<odd_one_out>/{model}/paths/hydra.csv",
        paths="<odd_one_out>/{model}/paths/paths.csv",
        retrieval="<odd_one_out>/{model}/paths/retrieval.csv",
        ablation="<odd_one_out>/{model}/paths/ablation.csv",
        path_costs="<odd_one_out>/{model}/paths/costs.csv",
        probe="<odd_one_out>/{model}/subspace/probe.csv",
        patches="<odd_one_out>/{model}/subspace/patches.csv",
        neurons="<odd_one_out>/{model}/subspace/neurons.csv",
    output:
        page="<figures>/odd_one_out/{model}/findings.md",
    log:
        "logs/odd_one_out_findings/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        code=get_code("odd_one_out_findings"),
    message:
        "Writing what was found of {wildcards.model}"
    script:
        "../scripts/odd_one_out_findings.py"
