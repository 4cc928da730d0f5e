"""What the rules of the study power are given: the get_* functions of their inputs and params.

inputs: CONFIG of common.smk, the functions of sister_inputs.smk
outputs: POWER_PARTS and functions that turn wildcards into params and inputs
steps: name the parts of a model; the user's table, the question, sizes, the code of figures
"""

from pipeline_lib.stimuli.power import digest

POWER_PARTS = ["residual", "mlp", "heads"]


def get_own_power_pairs(wildcards):
    """The user's table of pairs, if any."""
    return [CONFIG.power.pairs] if CONFIG.power.pairs else []


def get_power_question(wildcards):
    """The question and the answers that count; a function, for fields in braces are no wildcards."""
    return get_study_settings("power", "question", "true_variants", "false_variants")


def get_number_of_power_pairs(wildcards):
    """Most pairs that the sweep of the wildcard's part goes through."""
    return getattr(CONFIG.power.n_pairs, wildcards.part)


def get_power_figure_code(kind):
    """Params function: code of the figure of the wildcard's part of the model."""

    def code(wildcards):
        figure = f"pipeline_lib.figures.power.{kind}_{wildcards.part}"
        return get_code("draw_sister_figure", figure)

    return code
