"""What the rules of the studies beside arithmetic are given: their settings, figures and targets.

inputs: CONFIG of common.smk, the catalogue of their figures
outputs: the get_study_* functions
steps: name settings and files of one study; collect what a study draws
"""

from pipeline_lib.figures.sisters import SISTERS


def get_study_settings(study, *keys):
    """The values of a study's config keys (dotted), as params of a rule, under their last parts."""
    values = CONFIG.study(study).params(*keys)
    found = {key.split(".")[-1]: value for key, value in values.items()}
    return reads({key.split(".")[-1]: f"{study}.{key}" for key in keys})(found)


def get_study_figure(study, name, title, caption=None):
    """Output files of a study's figure: PDF, PNG and the numbers; PNG and numbers enter the report.

    ``caption`` names its text where that is not the figure's own name.
    """
    path = f"<figures>/{study}/{{model}}/{name}"
    in_report = {
        "caption": f"../report/{study}/{caption or name}.rst",
        "category": SISTERS[study].title,
        "subcategory": "{model}",
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


def get_study_targets(study):
    """Every figure and page of a study, of all its models."""
    catalogue, models = SISTERS[study], list(CONFIG.study(study).models)
    figures = expand(
        f"<figures>/{study}/{{model}}/{{figure}}.{{format}}",
        model=models,
        figure=catalogue.figures,
        format=FORMATS,
    )
    pages = expand(
        f"<figures>/{study}/{{model}}/{{page}}", model=models, page=catalogue.pages
    )
    return figures + pages


def get_enabled_targets(wildcards):
    """What the target `all` draws: arithmetic, and the sister studies that are switched on."""
    sisters = [
        path for study in CONFIG.enabled_sisters() for path in get_study_targets(study)
    ]
    return get_all_figures(wildcards) + sisters
