"""How figures are written: whole, deterministic, small enough to read, without global state."""

from itertools import pairwise

import matplotlib
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from pipeline_lib.errors import DiskError
from pipeline_lib.figures import style as s


def _drawn() -> s.Drawn:
    with s.style():
        figure = s.new_figure(s.COLUMN, 2.0)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], label="÷ ≡ −")
        axes.legend()
    return s.Drawn(figure, pd.DataFrame({"x": [0, 1], "y": [0.5, None]}))


def test_three_files_are_written_with_the_numbers(write):
    files = write(_drawn())
    assert files["pdf"].startswith(b"%PDF")
    assert files["png"].startswith(b"\x89PNG")
    assert files["csv"] == b"x,y\n0,0.5\n1,\n"


def test_the_same_figure_gives_the_same_bytes_without_a_date(write):
    one, two = write(_drawn()), write(_drawn())
    assert one == two
    assert b"CreationDate" not in one["pdf"]
    assert b"Software" not in one["png"]


def test_fonts_in_the_pdf_are_truetype(write):
    pdf = write(_drawn())["pdf"]
    assert b"/Type3" not in pdf
    assert b"/FontFile2" in pdf


def test_the_png_has_the_size_of_a_column(write):
    png = write(_drawn())["png"]
    assert int.from_bytes(png[16:20], "big") == int(3.35 * 60)


def test_a_saved_figure_is_closed(write):
    drawn = _drawn()
    write(drawn)
    assert not drawn.figure.axes


def test_settings_of_the_user_change_nothing(write):
    expected = write(_drawn())["png"]
    with matplotlib.rc_context({"font.size": 20, "axes.grid": True, "lines.linewidth": 9}):
        assert write(_drawn())["png"] == expected


def test_the_style_leaves_the_users_settings_alone():
    before = dict(matplotlib.rcParams)
    with s.style():
        assert matplotlib.rcParams["font.size"] == s.MEDIUM
    assert dict(matplotlib.rcParams) == before


def test_no_letter_is_smaller_than_six_points():
    sizes = [v for k, v in s.STYLE.items() if k.endswith("size") and k.split(".")[0] != "xtick"]
    fonts = [v for v in sizes if v in (s.SMALL, s.MEDIUM)]
    assert min(fonts) >= 6


def test_an_unwritable_folder_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    outputs = {kind: str(tmp_path / "file" / f"x.{kind}") for kind in ("pdf", "png", "csv")}
    with pytest.raises((DiskError, OSError)):
        s.save_figure(_drawn(), outputs, 50)


def test_operators_differ_in_lightness_and_marker():
    colours = [to_rgb(colour) for colour in s.OPERATOR_COLOURS.values()]
    grey = sorted(0.299 * r + 0.587 * g + 0.114 * b for r, g, b in colours)
    assert min(b - a for a, b in pairwise(grey)) > 0.01
    assert len(set(s.OPERATOR_MARKERS.values())) == 4


def test_ink_can_be_read():
    assert s.ink_on((1.0, 1.0, 1.0)) == "black"
    assert s.ink_on((0.0, 0.0, 0.4, 1.0)) == "white"


def test_the_font_library_writes_nothing_into_the_log(write, caplog):
    caplog.set_level("INFO")
    write(_drawn())
    assert not caplog.records
