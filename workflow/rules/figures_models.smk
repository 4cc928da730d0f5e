"""Models beside each other and beside the paper.

inputs: effects, probes, faithfulness and knockout tables; the tables of a model's figures
outputs: figs/arithmetic/all_models/fig08_prompt_knockout_models, figs/arithmetic/{model}/table_scorecard,
         and for the second model on fig16_model_{model}, fig17_model_{model}, ... as PDF, PNG, CSV
steps: read the artifacts, compute the plotted numbers, draw
"""


rule fig08_prompt_knockout_models:
    """Figure 8 of all models: accuracy against the neurons silenced, a panel a model."""
    input:
        knockouts=get_of_every_model("knockouts/{criterion}/{operator}_by_prompt.csv"),
    output:
        **get_figure_outputs(
            "fig08_prompt_knockout_models",
            "Figure 08 · knockout by prompt",
            folder="all_models",
            by_rule=True,
        ),
    log:
        "logs/figures/all_models{variant}/fig08_prompt_knockout_models.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig08_prompt_knockout_models",
        operators=STUDY.operators,
        settings=get_settings_of_all_models,
        code=get_code(
            "draw_figure", "pipeline_lib.figures.fig08_prompt_knockout_models"
        ),
    message:
        "Drawing fig08_prompt_knockout_models"
    script:
        "../scripts/draw_figure.py"


rule fig16_model:
    """Figures 16 to 18: localization, probes, faithfulness, knockouts of one further model."""
    input:
        effects=get_per_seed("effects/{operator}_seed{seed}.h5"),
        probes=get_per_operator("probes/{operator}.csv"),
        faithfulness=get_per_operator("faithfulness/{operator}.csv"),
        knockouts=get_per_operator("knockouts/{criterion}/{operator}_by_prompt.csv"),
    output:
        **get_figure_outputs(
            "fig{number}_model_{model}",
            "Figure {number} · further model",
            caption="fig16_model",
            by_rule=True,
        ),
    log:
        "logs/figures/{model}{variant}/fig{number}_model_{model}.log",
    wildcard_constraints:
        number=r"\d+",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig16_model",
        operators=STUDY.operators,
        settings=get_rule_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig16_model"),
    message:
        "Drawing fig{wildcards.number}_model_{wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule table_scorecard:
    """Scorecard: what the paper states for this model, what this run found."""
    input:
        accuracy="<figures>/arithmetic/{model}/table03_accuracy.csv",
        heads="<figures>/arithmetic/{model}/table02_circuit_heads.csv",
        faithfulness="<figures>/arithmetic/{model}/table01_faithfulness.csv",
        by_heuristic="<figures>/arithmetic/{model}{variant}/fig07_heuristic_knockout.csv",
        by_prompt="<figures>/arithmetic/{model}{variant}/fig08_prompt_knockout.csv",
        overlap="<figures>/arithmetic/{model}/fig15_neuron_iou.csv",
        counts="<figures>/arithmetic/{model}{variant}/heuristic_counts.csv",
    output:
        **get_figure_outputs(
            "table_scorecard", "Scorecard · paper and this run", by_rule=True
        ),
    log:
        "logs/figures/{model}{variant}/table_scorecard.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="table_scorecard",
        operators=STUDY.operators,
        settings=get_scorecard_settings,
        code=get_code("draw_figure", "pipeline_lib.figures.table_scorecard"),
    message:
        "Drawing table_scorecard of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"
