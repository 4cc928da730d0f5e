"""Bagpipe: how language models do arithmetic, from prompts to figures.

Data walks through the house in one direction; every stage is one file in workflow/rules:

prompts -> activations -> effects -> attribution -> neurons -> heuristics -> knockouts -> figures
"""

from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/cluster.smk"
include: "workflow/rules/params.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/outputs.smk"


pathvars:
    models="data/models",
    arithmetic="data/arithmetic",
    bayes="data/bayes",
    induction="data/induction",
    odd_one_out="data/odd_one_out",
    power="data/power",
    training="data/training",
    figures="figs",


wildcard_constraints:
    model="|".join(map(re.escape, MODEL_NAMES)),
    operator="|".join(STUDY.operators),
    seed="|".join(map(str, STUDY.seeds)),
    checkpoint="|".join(map(re.escape, [*CHECKPOINTS, FINAL])),
    criterion="|".join(RULES),
    variant="|".join(VARIANTS),


report: "workflow/report/workflow.rst"


include: "workflow/rules/models.smk"
include: "workflow/rules/train_tiny_arith.smk"
include: "workflow/rules/train_tiny_induction.smk"
include: "workflow/rules/prompts.smk"
include: "workflow/rules/activations.smk"
include: "workflow/rules/verify.smk"
include: "workflow/rules/effects.smk"
include: "workflow/rules/attribution.smk"
include: "workflow/rules/exact.smk"
include: "workflow/rules/probes.smk"
include: "workflow/rules/neurons.smk"
include: "workflow/rules/heuristics.smk"
include: "workflow/rules/calibration.smk"
include: "workflow/rules/rivals.smk"
include: "workflow/rules/knockouts.smk"
include: "workflow/rules/faithfulness.smk"
include: "workflow/rules/circuit_test.smk"
include: "workflow/rules/heads.smk"
include: "workflow/rules/checkpoints.smk"
include: "workflow/rules/figures_localization.smk"
include: "workflow/rules/figures_heuristics.smk"
include: "workflow/rules/figures_calibration.smk"
include: "workflow/rules/figures_knockouts.smk"
include: "workflow/rules/figures_faithfulness.smk"
include: "workflow/rules/figures_heads.smk"
include: "workflow/rules/figures_checkpoints.smk"
include: "workflow/rules/figures_truth.smk"
include: "workflow/rules/figures_rivals.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures_models.smk"
include: "workflow/rules/findings.smk"
include: "workflow/rules/browse.smk"
include: "workflow/rules/planted.smk"
include: "workflow/rules/sister_inputs.smk"
include: "workflow/rules/power_inputs.smk"
include: "workflow/rules/bayes.smk"
include: "workflow/rules/bayes_figures.smk"
include: "workflow/rules/bayes_effect_figures.smk"
include: "workflow/rules/induction.smk"
include: "workflow/rules/induction_figures.smk"
include: "workflow/rules/induction_pages.smk"
include: "workflow/rules/odd_one_out.smk"
include: "workflow/rules/odd_one_out_figures.smk"
include: "workflow/rules/power.smk"
include: "workflow/rules/power_figures.smk"
include: "workflow/rules/sisters.smk"


rule all:
    """All figures and tables of every enabled study."""
    default_target: True
    input:
        get_enabled_targets,
    message:
        "All figures and tables of every enabled study"


rule arithmetic:
    """All figures and tables of the arithmetic study."""
    input:
        get_all_figures,
    message:
        "All figures and tables of the arithmetic study"


remember_code()


onstart:
    record_code()


onsuccess:
    write_report()


onerror:
    say_how_to_continue()
