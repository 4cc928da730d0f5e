"""Pages to browse: what lies behind the figures, one HTML file a kind.

inputs: effects, maps, top neurons, matches, attention pictures, OV maps
outputs: figs/arithmetic/{model}/browse/*.html, each with a folder {page}_data where parts of it are
loaded when needed, and index.html with static previews
steps: read the artifacts, word and pack what is shown, fill the template; then draw the previews
"""


rule browse_effects:
    """Indirect effect of every head and MLP, with interval and rank, to browse."""
    input:
        effects=get_per_seed("effects/{operator}_seed{seed}.h5"),
    output:
        **get_page_outputs("effects", has_parts=False),
    log:
        "logs/browse/{model}/effects.log",
    benchmark:
        "logs/benchmarks/browse_effects/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(30),
    params:
        page="effects",
        operators=STUDY.operators,
        settings={},
        code=get_code("build_page", "pipeline_lib.browse.effects"),
    message:
        "Making the page of effects of {wildcards.model}"
    script:
        "../scripts/build_page.py"


rule browse_neurons:
    """Gallery of the top neurons: maps, heuristics, number tokens, importance."""
    input:
        maps=get_per_operator("maps/{operator}.h5"),
        neurons=get_per_operator("neurons/{operator}.csv"),
        matches=get_per_operator("heuristics/{criterion}/{operator}_matches.csv"),
    output:
        **get_page_outputs("neurons"),
    log:
        "logs/browse/{model}/neurons.log",
    benchmark:
        "logs/benchmarks/browse_neurons/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(60),
    params:
        page="neurons",
        operators=STUDY.operators,
        settings=get_named_settings("heuristics.kind"),
        code=get_code("build_page", "pipeline_lib.browse.neurons"),
    message:
        "Making the gallery of neurons of {wildcards.model}"
    script:
        "../scripts/build_page.py"


rule browse_attention:
    """Attention from "=" of every head over the operand plane, to browse."""
    input:
        pictures="<arithmetic>/{model}/attention/pictures.h5",
    output:
        **get_page_outputs("attention"),
    log:
        "logs/browse/{model}/attention.log",
    benchmark:
        "logs/benchmarks/browse_attention/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(60),
    params:
        page="attention",
        operators=STUDY.operators,
        settings={},
        code=get_code("build_page", "pipeline_lib.browse.attention"),
    message:
        "Making the page of attention of {wildcards.model}"
    script:
        "../scripts/build_page.py"


rule browse_ov:
    """OV maps of every head over number tokens, with their strongest pairs, to browse."""
    input:
        ov="<arithmetic>/{model}/numbers/ov.h5",
    output:
        **get_page_outputs("ov"),
    log:
        "logs/browse/{model}/ov.log",
    benchmark:
        "logs/benchmarks/browse_ov/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(60),
    params:
        page="ov",
        operators=STUDY.operators,
        settings={},
        code=get_code("build_page", "pipeline_lib.browse.ov"),
    message:
        "Making the page of OV maps of {wildcards.model}"
    script:
        "../scripts/build_page.py"


rule browse_snapshots:
    """Overview of a model's pages, with a static picture of each where a Chrome is found."""
    input:
        previews=expand("<arithmetic>/{{model}}/browse/{page}.json", page=PAGES),
    output:
        index=report(
            "<figures>/arithmetic/{model}/browse/index.html",
            caption="../report/browse.rst",
            category="Pages to browse",
            subcategory="{model}",
            labels={"page": "Overview, with links to all pages", "view": "browse"},
        ),
        snapshots=directory("<figures>/arithmetic/{model}/browse/snapshots"),
    log:
        "logs/browse/{model}/snapshots.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(30),
    params:
        code=get_code("take_snapshots"),
    message:
        "Taking snapshots of the pages of {wildcards.model}"
    script:
        "../scripts/take_snapshots.py"
