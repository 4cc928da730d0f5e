"""The page of findings: what a run found of each model, with figures.

inputs: the tables (CSV) beside the figures
outputs: figs/arithmetic/{model}/findings.md, which shows figures that lie beside it
steps: read the tables, compute the numbers and choose the sentences, fill the template
"""


rule findings:
    """Pages of findings of all models, in Markdown."""
    input:
        get_all_documents,


rule write_findings:
    """What a run found of a model: numbers from its tables, sentences that they choose."""
    input:
        unpack(get_tables_of_findings),
    output:
        page="<figures>/arithmetic/{model}/findings.md",
    log:
        "logs/findings/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        operators=STUDY.operators,
        pictures=get_pictures_of_findings,
        settings=get_named_settings(
            "heuristics.rule",
            "heuristics.threshold",
            "heuristics.fdr",
            "rivals.periods",
        ),
        code=get_code("write_findings"),
    message:
        "Writing the findings of {wildcards.model}"
    script:
        "../scripts/write_findings.py"
