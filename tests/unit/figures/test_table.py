"""Tables as figures: nothing overflows."""

import pandas as pd
from matplotlib.text import Text

from pipeline_lib.figures.style import COLUMN, MAX_HEIGHT, PAGE, style
from pipeline_lib.figures.table import LINE, table_figure, text_width, wrap


def _texts(figure):
    return [text for text in figure.findobj(Text) if text.get_text()]


def _inside(figure):
    figure.canvas.draw()
    width, height = figure.bbox.width, figure.bbox.height
    boxes = [text.get_window_extent() for text in _texts(figure)]
    return all(
        box.x0 >= -1 and box.x1 <= width + 1 and box.y0 >= -1 and box.y1 <= height + 1
        for box in boxes
    )


def test_wrapped_lines_are_no_wider_than_asked():
    text = "operand 1 in [226, 236); result ≡ 2 (mod 3) anextremelylongwordthatcannotfit"
    lines = wrap(text, 0.9)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert max(text_width(line) for line in lines) <= 0.9


def test_a_wide_table_fits_the_page_and_a_column():
    cells = pd.DataFrame({"a": ["word " * 30, "x"], "b": ["other " * 9, "y"], "c": ["1", "2"]})
    for width in (PAGE, COLUMN):
        with style():
            figure = table_figure(cells, width=width)
            assert figure.get_size_inches()[0] == width
            assert _inside(figure)


def test_words_are_not_cut_while_another_column_can_give_way():
    cells = pd.DataFrame({"a": ["multiplication"], "b": ["many short words " * 8]})
    with style():
        figure = table_figure(cells, width=1.6)
    names = [text.get_text() for text in _texts(figure)]
    assert "multiplication" in names
    assert len(names) > 6


def test_a_long_table_ends_with_a_note():
    cells = pd.DataFrame({"row": [str(i) for i in range(200)]})
    with style():
        figure = table_figure(cells, width=COLUMN)
    shown = len(_texts(figure)) - 2
    assert figure.get_size_inches()[1] <= MAX_HEIGHT
    assert f"{200 - shown} more rows in the CSV file" in [t.get_text() for t in _texts(figure)]


def test_an_empty_table_says_so():
    with style():
        figure = table_figure(pd.DataFrame({"a": [], "b": []}), empty="nothing matched")
    assert [text.get_text() for text in _texts(figure)] == ["a", "b", "nothing matched"]


def test_a_groups_name_stands_once():
    cells = pd.DataFrame({"operator": ["add", "add", "sub"], "head": ["L0H1", "L2H0", "L1H1"]})
    with style():
        figure = table_figure(cells, group="operator")
    names = [text.get_text() for text in _texts(figure)]
    assert (names.count("add"), names.count("sub"), names.count("L2H0")) == (1, 1, 1)


def test_dollar_signs_are_not_mathematics():
    with style():
        figure = table_figure(pd.DataFrame({"a": ["$x$"]}))
        figure.canvas.draw()
    assert text_width("$x$") > text_width("x")
    assert figure.get_size_inches()[1] > LINE
