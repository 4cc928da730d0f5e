"""What a run leaves: files of figures and pages, and the report.

inputs: CONFIG and STUDY of common.smk, the catalogue of figures
outputs: functions that name output files and all targets; write_report, say_how_to_continue
steps: name the files of one figure or page, of everything; write the report after a run
"""

import subprocess

from pipeline_lib.figures.catalog import (
    DOCUMENTS,
    PAGES,
    STUDY_FIGURES,
    depends_on_rule,
    figures_of,
)
from pipeline_lib.findings.tables import COLUMNS, PICTURES

FORMATS = ["pdf", "png", "csv"]
FIRST_SECTION = "1 · Mechanism or coincidence"
"""Category of the report that stands before all others."""


def get_figure_outputs(
    name, title, caption=None, folder="{model}", by_rule=False, category="Arithmetic"
):
    """Output files of a figure: PDF, PNG and the numbers; PNG and numbers enter the report.

    ``caption`` names its text where that is not the figure's own name, ``folder`` what it is of.
    ``by_rule``: it depends on the rule of matching and exists under both (see get_criterion). ``category`` is its section of the report.
    """
    folder += "{variant}" if by_rule else ""
    path = f"<figures>/arithmetic/{folder}/{name}"
    in_report = {
        "caption": f"../report/{caption or name}.rst",
        "category": category,
        "subcategory": folder.replace("_", " "),
    }
    return {
        "pdf": f"{path}.pdf",
        "png": report(
            f"{path}.png", labels={"figure": title, "view": "image"}, **in_report
        ),
        "csv": report(
            f"{path}.csv", labels={"figure": title, "view": "numbers"}, **in_report
        ),
    }


def get_page_outputs(name, has_parts=True):
    """Output files of a page to browse: the page, its preview, a folder for what it loads later."""
    folder = "<figures>/arithmetic/{model}/browse"
    outputs = {
        "page": f"{folder}/{name}.html",
        "preview": f"<arithmetic>/{{model}}/browse/{name}.json",
    }
    if has_parts:
        outputs["data"] = directory(f"{folder}/{name}_data")
    return outputs


def get_all_figures(wildcards):
    """Every figure, table and page of the arithmetic study; none if it is switched off."""
    models = STUDY.models if STUDY.enabled else []
    names = [
        f"{model}/{figure}" for model in models for figure in get_figures_of(model)
    ]
    names += [f"all_models/{figure}" for figure in STUDY_FIGURES if models]
    names += [
        under_other_rule(name) for name in names if depends_on_rule(name.split("/")[-1])
    ]
    figures = expand("<figures>/arithmetic/{name}.{format}", name=names, format=FORMATS)
    pages = expand(
        "<figures>/arithmetic/{model}/browse/{page}.html",
        model=models,
        page=[*PAGES, "index"],
    )
    return figures + pages + get_all_documents(wildcards)


def get_all_documents(wildcards):
    """The pages of findings of all models; none if the study is switched off."""
    return expand(
        "<figures>/arithmetic/{model}/{document}.md",
        model=STUDY.models if STUDY.enabled else [],
        document=DOCUMENTS,
    )


def get_tables_of_findings(wildcards):
    """The tables that the page of findings reads, of those the model has."""
    names = [name for name in get_figures_of(wildcards.model) if name in COLUMNS]
    return {
        name: f"<figures>/arithmetic/{wildcards.model}/{name}.csv" for name in names
    }


def get_pictures_of_findings(wildcards):
    """The figures that the page of findings shows, of those the model has."""
    found = get_figures_of(wildcards.model)
    return [name for name in PICTURES if name in found]


def under_other_rule(name):
    """A figure's name, with its folder, under the rule that is not configured."""
    folder, _, figure = name.rpartition("/")
    other = next(rule for rule in RULES if rule != STUDY.heuristics.rule)
    return f"{folder}/{other}/{figure}"


def get_figures_of(model):
    """Names of a model's figures and tables; those over training need checkpoints."""
    over_training = bool(CONFIG.checkpoints_of(model))
    return figures_of(model, STUDY.models, STUDY.operators, over_training=over_training)


def say_how_to_continue():
    """After a failed run: where the reasons are, and what finishes the rest."""
    sys.stderr.write(
        "\nNot everything was made: the reasons stand above and in logs/. "
        "The same command continues with what is left.\n"
    )


def is_entrance(path):
    """Whether a file is a page that nothing else leads to: an overview, or a study's only page."""
    return path.suffix == ".html" and (
        path.name == "index.html" or path.parent.name != "browse"
    )


def write_report():
    """After a run of whole studies: Snakemake's report, and a word on where things are."""
    wanted = set(workflow.dag_settings.targets) or {"all"}
    if not wanted <= {"all", "arithmetic", *SISTERS}:
        return
    made = [get_study_targets(study) for study in SISTERS if study in wanted]
    if "all" in wanted:
        made.append(get_enabled_targets(None))
    elif "arithmetic" in wanted:
        made.append(get_all_figures(None))
    paths = [Path(workflow.pathvars.apply(path)) for part in made for path in part]
    if not paths:
        return
    folders = sorted({str(path.parent) for path in paths if path.suffix == ".pdf"})
    sys.stderr.write(f"\nFigures and tables: {', '.join(folders)}\n")
    if pages := [str(path) for path in paths if is_entrance(path)]:
        sys.stderr.write(f"Pages to browse:    {', '.join(pages)}\n")
    report_file = "figs/report.html"
    # The same command line asks the same configuration for its report.
    command = [sys.executable, "-m", "snakemake", *sys.argv[1:], "--nolock"]
    command += ["--report", report_file]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        sys.stderr.write(f"The report could not be written:\n{made.stderr}\n")
    else:
        sys.stderr.write(f"Report:             {report_file}\n")
