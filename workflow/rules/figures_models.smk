"""Figures across models: the study's models side by side, and one figure for each further model.

inputs: effects, probes, faithfulness and knockout tables
outputs: figs/arithmetic/all_models/fig08_prompt_knockout_models and, for the second model and those after it,
         figs/arithmetic/{model}/fig16_model_{model}, fig17_model_{model}, ... as PDF, PNG and CSV
steps: read the artifacts, compute the plotted numbers, draw
"""


rule fig08_prompt_knockout_models:
    """Figure 8 of all models: accuracy against the neurons silenced, a panel a model."""
    input:
        knockouts=get_of_every_model("knockouts/{operator}_by_prompt.csv"),
    output:
        **get_figure_outputs(
            "fig08_prompt_knockout_models",
            "Figure 08 · knockout by prompt",
            folder="all_models",
        ),
    log:
        "logs/figures/all_models/fig08_prompt_knockout_models.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        figure="fig08_prompt_knockout_models",
        operators=STUDY.operators,
        settings={"models": STUDY.models, "dpi": STUDY.figures.dpi},
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
        knockouts=get_per_operator("knockouts/{operator}_by_prompt.csv"),
    output:
        **get_figure_outputs(
            "fig{number}_model_{model}",
            "Figure {number} · further model",
            caption="fig16_model",
        ),
    log:
        "logs/figures/{model}/fig{number}_model_{model}.log",
    wildcard_constraints:
        number="|".join(str(16 + place) for place in range(len(MODEL_FIGURES)))
        or "none",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        figure="fig16_model",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig16_model"),
    message:
        "Drawing fig{wildcards.number}_model_{wildcards.model}"
    script:
        "../scripts/draw_figure.py"
