"""The page to browse and the findings of the study of induction drift.

inputs: the tables and patterns of induction.smk
outputs: figs/induction/{model}/attention.html, findings.md
steps: fill the page's template; write what the tables say
"""

from pipeline_lib.findings.induction_tables import COLUMNS as INDUCTION_TABLES


rule browse_induction:
    """Attention of every head in orders and on repeated tokens, to browse."""
    input:
        patterns="<induction>/{model}/patterns.h5",
        scores="<induction>/{model}/scores.csv",
        ablation="<induction>/{model}/ablation.csv",
    output:
        page=report(
            "<figures>/induction/{model}/attention.html",
            caption="../report/induction/browse.rst",
            category="Induction drift",
            subcategory="{model}",
            labels={"figure": "Attention of every head", "view": "browse"},
        ),
    log:
        "logs/browse/induction/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        page="induction",
        code=get_code("build_sister_page", "pipeline_lib.browse.induction"),
    message:
        "Making the page of attention of {wildcards.model}"
    script:
        "../scripts/build_sister_page.py"


rule write_induction_findings:
    """What a run found of a model: numbers from its tables, sentences that they choose."""
    input:
        **{name: f"<induction>/{{model}}/{name}.csv" for name in INDUCTION_TABLES},
        cost="<induction>/{model}/cost.json",
    output:
        page="<figures>/induction/{model}/findings.md",
    log:
        "logs/findings/induction/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        settings=get_study_settings(
            "induction", "symbols", "repeated_tokens", "sequences", "random_sets"
        ),
        code=get_code("write_induction_findings"),
    message:
        "Writing the findings of {wildcards.model}"
    script:
        "../scripts/write_induction_findings.py"
