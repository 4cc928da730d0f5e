"""The studies beside arithmetic, each under a target of its own.

inputs: get_study_targets of sister_inputs.smk
outputs: figs/{study}/{model}/...
steps: ask for every figure and page of a study
"""


rule bayes:
    """All figures of the study: where does a model integrate evidence like Bayes?"""
    input:
        get_study_targets("bayes"),
    message:
        "All figures of the study bayes"


rule induction:
    """All figures of the study: do induction heads make a counter order-sensitive?"""
    input:
        get_study_targets("induction"),
    message:
        "All figures of the study induction"


rule odd_one_out:
    """All figures of the study: a circuit for the odd one out of three people."""
    input:
        get_study_targets("odd_one_out"),
    message:
        "All figures of the study odd_one_out"


rule power:
    """All figures of the study: where does a model hold who exercises power?"""
    input:
        get_study_targets("power"),
    message:
        "All figures of the study power"
