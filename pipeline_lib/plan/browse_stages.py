"""Cost of the pages to browse: made of artifacts, in one job a page, without the model."""

from pipeline_lib.figures.catalog import PAGES
from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan.head_stages import N_SOURCES
from pipeline_lib.plan.stages import Stage, Work, table_stage

TEXT = 4 / 3  # base64: four letters for three bytes
PAGE_LIMIT = 20 * 10**6  # bytes in one file
RESAMPLES = 2000


def browse_effects(work: Work) -> Stage:
    """A row of numbers and words for every component and position, all operators together too."""
    cells = (len(work.sizes) + 1) * len(work.study.effects.positions) * _components(work)
    resamples = len(work.study.effects.positions) * _components(work) * 2 * RESAMPLES * 8
    return _page("effects", cells * assumed.EFFECT_CELL_BYTES, 4 * resamples)


def browse_attention(work: Work) -> Stage:
    """A picture over the operands for every operator, head and source; a layer in memory."""
    operands = min(work.study.heads.operands, work.max_number + 1)
    heads = work.shape.n_layers * work.shape.n_heads
    values = len(work.sizes) * heads * N_SOURCES * operands**2
    layer = work.shape.n_heads * N_SOURCES * operands**2
    return _pictures("attention", values, layer, assumed.HEAD_DEFLATED, operands)


def browse_ov(work: Work) -> Stage:
    """A picture over numbers for every head; a layer in memory."""
    numbers = min(work.study.prompts.max_operand, work.max_number + 1)
    layer = work.shape.n_heads * numbers**2
    return _pictures("ov", work.shape.n_layers * layer, layer, assumed.HEAD_DEFLATED, numbers)


def browse_neurons(work: Work) -> Stage:
    """Two pictures of every top neuron, over the valid prompts; those of a layer in memory."""
    valid = [size.n_valid for size in work.sizes]
    values = 2 * work.n_neurons * sum(valid)
    layer = 2 * work.n_neurons // work.n_late_layers * max(valid)
    operands = work.study.prompts.max_operand - work.study.prompts.min_operand
    return _pictures("neurons", values, layer, assumed.MAP_DEFLATED, operands)


def browse_snapshots(work: Work) -> Stage:
    """A picture of each page, again in the overview, and this again in the report.

    The browser that draws them, if there is one, is a process beside the job.
    """
    pictures = len(PAGES) * assumed.PREVIEW_BYTES * (1 + TEXT + TEXT**2)
    return table_stage(
        "browse_snapshots",
        jobs=1,
        disk_bytes=pictures,
        seconds=assumed.BROWSER_SECONDS,
        library_bytes=assumed.PAGE_LIBRARY_BYTES,
    )


def write_findings(work: Work) -> Stage:
    """The page of findings: text alone; the figures it shows lie beside it."""
    return table_stage(
        "write_findings",
        jobs=1,
        disk_bytes=assumed.FINDINGS_BYTES,
        library_bytes=assumed.DRAWING_BYTES,
    )


def _components(work: Work) -> int:
    return work.shape.n_layers * (work.shape.n_heads + 1)


def _pictures(name: str, values: int, values_of_block: int, deflated: float, side: int) -> Stage:
    """A page of pictures with so many values of ``deflated`` bytes, and a preview of ``side``².

    Held are the blocks that still fit into one file, and one block as pictures, as their text and
    as that of the file.
    """
    n_bytes = values * deflated * TEXT
    held = min(n_bytes, PAGE_LIMIT) + 3 * values_of_block * deflated * TEXT
    preview = side**2 * assumed.PREVIEW_CELL_BYTES
    return _page(name, n_bytes + preview, round(held), values * assumed.PICTURE_SECONDS)


def _page(name: str, n_bytes: int | float, array_bytes: int, seconds: float = 0.0) -> Stage:
    return table_stage(
        f"browse_{name}",
        jobs=1,
        disk_bytes=assumed.PAGE_BYTES + n_bytes,
        array_bytes=array_bytes,
        seconds=seconds,
        library_bytes=assumed.PAGE_LIBRARY_BYTES,
    )
