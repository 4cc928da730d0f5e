import numpy as np
import pandas as pd
import pytest

from pipeline_lib.findings import power
from pipeline_lib.power.measure import baselines
from pipeline_lib.power.regions import REGIONS


def found(source, base):
    pairs = pd.DataFrame({"source": source, "base": base, "source_mass": 0.1, "base_mass": 0.3})
    return baselines(pairs, 0).set_index("measure")


@pytest.mark.parametrize(
    ("source", "base", "said"),
    [
        ([1.0, 1.2, 0.9, 1.1] * 4, [0.0] * 16, "tells the sentences apart**"),
        ([-1.0, -1.2, -0.9, -1.1] * 4, [0.0] * 16, "the wrong way round"),
        ([1.0, -1.0] * 8, [0.0] * 16, "does not measurably tell"),
    ],
)
def test_the_interval_chooses_the_verdict(source, base, said):
    text = power.verdict("m", found(source, base))
    assert said in text
    assert ("cannot do this task" in text) == ("apart**" not in text)
    assert "over 16 pairs" in text


def regions(rows):
    """A table of recoveries: (layer, component, position) to (recovery, low, high)."""
    names = ["layer", "component", "position", "recovery", "recovery_low", "recovery_high"]
    return pd.DataFrame([(*key, *value) for key, value in rows.items()], columns=names)


def residual(last, differing):
    rows = {}
    for place, values in (("last", last), ("differing", differing)):
        for layer, value in enumerate(values, start=-1):
            rows[layer, "residual", place] = (value, value - 0.1, value + 0.1)
    return regions(rows)


def test_the_layer_from_which_the_last_token_carries_more():
    said = power.path(residual([0.0, 0.5, 0.2, 0.9], [0.8, 0.4, 0.3, 0.0]))
    assert said.startswith("From layer 2 on")  # at layer 0 it was so, but not at layer 1
    assert "never" in power.path(residual([0.0, 0.1], [0.8, 0.4]))
    assert power.path(residual([0.9, 1.0], [0.1, 0.2])).startswith("From the embedding on")
    assert power.path(regions({})) == ""


def test_half_of_the_difference_is_moved_where_the_interval_says_so():
    assert "from layer 1 on" in power.carried(residual([0.0, 0.55, 0.7], [0.0] * 3))
    assert power.carried(residual([0.0, 0.55], [0.0] * 2)).startswith("No layer")


def test_heads_are_named_only_where_intervals_leave_out_0():
    tables = {
        "mlp": regions({(3, "mlp", "last"): (0.2, -0.1, 0.4)}),
        "heads": regions(
            {
                (2, "head_1", "last"): (-0.3, -0.4, -0.2),
                (2, "head_0", "after"): (0.1, 0.05, 0.2),
                (1, "head_0", "entity"): (0.4, -0.2, 0.9),
                (0, "head_0", "before"): (0.0, 0.0, 0.0),
            }
        ),
    }
    said = power.named_parts(tables)
    assert "Of 1 cells (layer, region) of MLPs 0 have" in said
    assert "Of 3 cells (layer, region) of heads 2 have" in said
    assert "2.1 at the last token (−0.30) and 2.0 at others after them (0.10)" in said


def test_regions_without_any_pair_are_dashes():
    nothing = (np.nan, np.nan, np.nan)
    table = regions({(0, "mlp", place): nothing for place in REGIONS})
    text = power.peaks(dict.fromkeys(power.PARTS, table))
    assert text.count("–") == 3 * len(power.REGIONS)


def test_without_swept_pairs_nothing_is_said_of_where():
    page = power.write_power_findings(
        "m",
        found([1.0, -1.0], [0.0, 0.0]).reset_index(),
        {
            "counts": {"pairs": 2, "swept": 0, "within_noise": 2, "wrong_way": 0,
                       "unequal_length": 0},
            "noise_floor": 2.0,
            "variants": {"true": ["a"], "false": ["b"]},
        },
        dict.fromkeys(power.PARTS, regions({})),
        {part: {"pairs": 0, "patches": 0, "known": 0, "token_layers": 0, "loop_token_layers": 0,
                "times_less": 1.0} for part in power.PARTS},
    )  # fmt: skip
    assert "No pair can be swept" in page
    assert "2 closer than the noise floor" in page
    assert "$" not in page
