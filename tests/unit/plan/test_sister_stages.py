"""Stages of the studies beside arithmetic: counts by hand, sizes that count."""

from dataclasses import replace
from itertools import combinations
from math import comb

import pytest

from pipeline_lib import stimuli
from pipeline_lib.config import SISTERS
from pipeline_lib.induction import ablation, heads
from pipeline_lib.induction.kinds import KINDS
from pipeline_lib.odd_one_out import baselines as odd_baselines
from pipeline_lib.plan import (
    Expected,
    flops,
    induction_stages,
    make_plan,
    odd_prompts,
    power_stages,
)
from pipeline_lib.plan.prompt_layout import NAMES, Place, count_tokens, place_of
from pipeline_lib.plan.sister_planning import STUDIES
from pipeline_lib.plan.sister_work import patch_flops, swept_flops
from pipeline_lib.power import baseline as power_baseline
from pipeline_lib.power import sweeping
from pipeline_lib.stimuli import sequences
from tests.unit.plan.conftest import HUB, SHAPE, by_rule


@pytest.fixture
def sister(config, tmp_path):
    """Plan of one study of the hub model under some settings."""

    def make(study: str, settings: dict | None = None, **expected):
        raw = {"models": {"some": HUB}, study: {"models": ["some"], **(settings or {})}}
        checked = config(raw)
        told = Expected(**expected)
        return make_plan(checked, tmp_path, studies=[study], expected=told)[0]

    return make


def nested(key: str, value: object) -> dict:
    """Settings of a dotted key."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


# counts by hand


def test_a_prompt_has_a_token_for_each_word_digit_sign_and_line():
    assert count_tokens("Generator A: 75% X.\nQ_1") == 2 + 1 + 3 + 1 + 1 + 1 + 3
    text = f"Who: {NAMES[0]}, {NAMES[1]}?"
    assert count_tokens(text) == 2 + 3 + 1 + 3 + 1
    assert place_of(text, [NAMES[1]]) == Place(6, 3)
    assert place_of(text, NAMES[:2]) == Place(2, 6)


def test_answers_are_a_pass_of_each_order(sister):
    """Of three draws there are 1, 2, 2 and 1 orders, of 36 tokens."""
    sizes = {"heads": {"clean": 2, "corrupt": 1}, "probe": {"train": 8, "test": 8}}
    plan = sister("bayes", {"draws": 3, "permutations": 2, "templates": ["base"], **sizes})
    stage = by_rule(plan)["bayes_answers"]
    assert stage.flops == 6 * flops.forward_flops(plan.shape, 36)
    assert stage.jobs == 1


def test_a_patch_is_its_own_layer_and_those_above(sister):
    shape = sister("bayes").shape
    head = flops.query_flops(shape) + flops.mlp_flops(shape)
    last = Place(9)
    assert patch_flops(shape, 10, 5, last, "residual") == 0
    assert patch_flops(shape, 10, 5, last, "head") == head
    assert patch_flops(shape, 10, 5, Place(8), "head") == 0  # nothing reads it
    assert patch_flops(shape, 10, 5, Place(8, 2), "mlp") == 2 * flops.mlp_out_flops(shape)
    whole = flops.suffix_flops(shape, 10, 2, 4, "mlp") - flops.unembedding_flops(shape)
    assert patch_flops(shape, 10, 2, Place(4, 3), "residual") == whole
    assert patch_flops(shape, 10, 2, Place(4, 3), "head") == whole + 3 * head
    both = [patch_flops(shape, 10, layer, last, "head") for layer in (0, 3)]
    assert swept_flops(shape, 10, [0, 3], [last], "head") == sum(both)


def test_sweeps_of_power_are_of_the_tokens_from_the_first_that_differs(config, tmp_path):
    """Eight tokens in front, "Ada led us." against "Ada saw us.", two after: 4 positions count."""
    (tmp_path / "pairs.tsv").write_text("name\tpower\tno_power\nAda\tAda led us.\tAda saw us.\n")
    asked = {"question": "Is {entity} in power here? Now: {sentence} Answer:", "pairs": "pairs.tsv"}
    raw = {"models": {"some": HUB}, "power": {"models": ["some"], **asked}}
    (plan,) = make_plan(config(raw), tmp_path, studies=["power"])
    shape, n = plan.shape, 8 + 4 + 2
    pair = flops.forward_flops(shape, n)
    assert power_stages.sizes_of(plan.work)[0].first_different == 1
    places = [Place(position) for position in range(n - 5, n)]
    residual = swept_flops(shape, n, range(-1, 6), places, "residual")
    mlp, head = (swept_flops(shape, n, range(6), places, part) for part in ("mlp", "head"))
    assert by_rule(plan)["power_sweep"].flops == 6 * pair + residual + mlp + 8 * head
    assert by_rule(plan)["power_pairs"].flops == (2 + 3) * pair


def test_nested_sets_are_those_of_every_order_of_heads(sister):
    """Two layers of two heads: the first ablated layer of all sets of 1 to 4 heads, averaged."""
    work = sister("induction").work
    shape = replace(work.shape, n_layers=2, n_heads=2, n_kv_heads=2)
    small = replace(work, shape=shape)
    cost = [flops.ablation_flops(small.shape, 9, layer) for layer in (0, 1)]
    found = 0.0
    for k in range(1, 5):
        sets = list(combinations(range(4), k))
        found += sum(cost[min(chosen) // 2] for chosen in sets) / len(sets)
    assert induction_stages.nested_flops(small, 9, range(5)) == pytest.approx(found)


def test_places_of_the_odd_one_out_are_those_of_its_prompts(sister):
    """Six words and a colon, three names of three tokens with commas between, four at the end."""
    settings = sister("odd_one_out").work.settings
    found = odd_prompts.layouts(settings, "odd_one_out")
    assert [at.n_tokens for at in found] == [8 + 9 + 2 + 3] * 3
    assert [at.swapped for at in found] == [Place(8, 3), Place(12, 3), Place(16, 3)]
    assert [at.kept for at in found] == [Place(12, 6), Place(8, 6), Place(8, 6)]
    assert found[0].query == Place(21)
    assert [at.kept for at in odd_prompts.layouts(settings, "one_name")] == [None]
    shots = odd_prompts.layouts(settings, "odd_one_out_shots")
    assert shots[0].n_tokens == 22 + 2 * (22 + 3 + 2)


def test_constants_are_those_of_the_stages():
    assert sequences.NAMED_COUNTS == induction_stages.NAMED_COUNTS
    assert (len(sequences.NAMED), heads.SHOWN_SEQUENCES, len(heads.SCORES)) == (
        induction_stages.N_NAMED, induction_stages.SHOWN_SEQUENCES, induction_stages.N_SCORES,
    )  # fmt: skip
    assert (len(KINDS), len(ablation.MEASURES), ablation.ROWS) == (
        induction_stages.KINDS, induction_stages.N_MEASURES, induction_stages.ROWS,
    )  # fmt: skip
    assert power_baseline.NOISE_PROMPTS == power_stages.NOISE_PROMPTS
    assert tuple(power_stages.PARTS) == sweeping.PARTS
    assert odd_baselines.KINDS is stimuli.odd_one_out.KINDS
    assert tuple(STUDIES) == SISTERS


# sizes that count

TWICE = [
    ("bayes", "permutations", 10, 20, "bayes_answers"),
    ("bayes", "heads.pairs", 40, 80, "bayes_heads"),
    ("bayes", "steering.random_directions", 200, 400, "bayes_steering"),
    ("induction", "sequences", 50, 100, "induction_heads"),
    ("induction", "random_sets", 400, 800, "ablate_orders"),
    ("odd_one_out", "grid.pairs", 400, 800, "odd_one_out_baselines"),
    ("odd_one_out", "sweep.pairs", 40, 80, "odd_one_out_sweeps"),
    ("odd_one_out", "paths.pairs", 40, 80, "odd_one_out_paths"),
    ("odd_one_out", "subspace.pairs", 60, 120, "odd_one_out_subspace"),
    ("power", "n_pairs.heads", 20, 40, "power_sweep"),
]
BASE = {
    "bayes": {"draws": 14, "heads": {"position_pairs": 1}},
    "odd_one_out": {
        "grid": {"controls": 1},
        "sweep": {"component_pairs": 2, "generality_pairs": 2, "control_pairs": 2},
        "paths": {"probes": 2},
        "subspace": {"prompts": 20},
    },
    "power": {"n_pairs": {"residual": 1, "mlp": 1}},
}


@pytest.mark.parametrize(("study", "key", "once", "twice", "rule"), TWICE)
def test_twice_the_size_is_about_twice_the_work(sister, study, key, once, twice, rule):
    def planned(n):
        settings = merged(BASE.get(study, {}), nested(key, n))
        return by_rule(sister(study, settings))[rule].flops

    assert planned(twice) == pytest.approx(2 * planned(once), rel=0.15)


def merged(base: dict, over: dict) -> dict:
    """Settings laid over others."""
    found = dict(base)
    for key, value in over.items():
        is_both = isinstance(value, dict) and isinstance(base.get(key), dict)
        found[key] = merged(base[key], value) if is_both else value
    return found


CHANGES = [
    ("bayes", "probabilities", [0.2, 0.5, 0.9], "bayes_answers"),
    ("bayes", "draws", 12, "bayes_heads"),
    ("bayes", "templates", ["base"], "bayes_answers"),
    ("bayes", "probe.train", 300, "bayes_probe"),
    ("bayes", "probe.test", 200, "bayes_probe"),
    ("bayes", "probe.train_template", "order_irrelevant", "bayes_probe"),
    ("bayes", "probe.test_template", "base", "bayes_steering"),
    ("bayes", "probe.layer_stride", 2, "bayes_probe"),
    ("bayes", "probe.controls", 40, "bayes_probe"),
    ("bayes", "heads.position_pairs", 6, "bayes_heads"),
    ("bayes", "heads.template", "independent", "bayes_heads"),
    ("bayes", "heads.corrupt", 1, "bayes_heads"),
    ("bayes", "heads.top", 24, "figures"),
    ("bayes", "steering.prompts", 60, "bayes_steering"),
    ("bayes", "steering.changes", [0.1], "bayes_steering"),
    ("bayes", "dpi", 600, "figures"),
    ("induction", "other_symbols", [["A", "B"]], "ablate_orders"),
    ("induction", "counts", [[6, 6]], "order_drift"),
    ("induction", "max_orders", 100, "order_drift"),
    ("induction", "prepend_bos", False, "ablate_orders"),
    ("induction", "repeated_tokens", 30, "induction_heads"),
    ("induction", "dpi", 600, "figures"),
    ("odd_one_out", "tasks", ["common_attribute"], "odd_one_out_sweeps"),
    ("odd_one_out", "formats.odd_one_out", "Pick one: {names}.", "odd_one_out_sweeps"),
    ("odd_one_out", "formats.odd_shots", 4, "odd_one_out_baselines"),
    ("odd_one_out", "formats.common_shots", 2, "odd_one_out_baselines"),
    ("odd_one_out", "examples", [], "odd_one_out_baselines"),
    ("odd_one_out", "grid.shots_pairs", 64, "odd_one_out_baselines"),
    ("odd_one_out", "grid.controls", 80, "odd_one_out_baselines"),
    ("odd_one_out", "grid.least_people", 14, "odd_one_out_baselines"),
    ("odd_one_out", "sweep.component_pairs", 20, "odd_one_out_sweeps"),
    ("odd_one_out", "sweep.replacements", ["zero"], "odd_one_out_sweeps"),
    ("odd_one_out", "sweep.window", 1, "odd_one_out_sweeps"),
    ("odd_one_out", "sweep.heads", 6, "odd_one_out_paths"),
    ("odd_one_out", "sweep.every", 2, "odd_one_out_sweeps"),
    ("odd_one_out", "sweep.generality_pairs", 30, "odd_one_out_sweeps"),
    ("odd_one_out", "sweep.control_pairs", 30, "odd_one_out_sweeps"),
    ("odd_one_out", "paths.probes", 20, "odd_one_out_paths"),
    ("odd_one_out", "paths.retrieval_heads", 12, "odd_one_out_paths"),
    ("odd_one_out", "paths.draws", 20, "odd_one_out_paths"),
    ("odd_one_out", "subspace.prompts", 480, "odd_one_out_subspace"),
    ("odd_one_out", "subspace.ranks", [1], "odd_one_out_subspace"),
    ("odd_one_out", "subspace.draws", 20, "odd_one_out_subspace"),
    ("odd_one_out", "subspace.neurons", 40, "odd_one_out_subspace"),
    ("odd_one_out", "dpi", 600, "figures"),
    ("power", "question", "Is {entity} strong? {sentence}", "power_pairs"),
    ("power", "n_pairs.residual", 10, "power_sweep"),
    ("power", "n_pairs.mlp", 10, "power_sweep"),
    ("power", "dpi", 600, "figures"),
]


@pytest.mark.parametrize(("study", "key", "value", "rule"), CHANGES)
def test_a_key_that_counts_moves_the_plan(sister, study, key, value, rule):
    before, after = (by_rule(sister(study, over))[rule] for over in ({}, nested(key, value)))
    assert before != after
    if rule != "figures" and key != "grid.least_people":
        assert before.flops != after.flops


def test_what_only_a_run_tells_moves_the_plan(sister):
    every, few = (by_rule(sister("bayes", **told)) for told in ({}, {"passing_pairs": 2}))
    assert few["bayes_heads"].flops < every["bayes_heads"].flops / 2
    other = by_rule(sister("odd_one_out", swept_task="common_attribute"))
    first = by_rule(sister("odd_one_out"))
    assert other["odd_one_out_sweeps"].disk_bytes > 2 * first["odd_one_out_sweeps"].disk_bytes
    assert other["odd_one_out_baselines"] == first["odd_one_out_baselines"]


def test_many_heads_are_many_names_in_the_joint_ablation(sister):
    """A set of k heads names them all, for every k, kind and measure: its square in bytes."""
    stage = by_rule(sister("induction"))["ablate_orders"]
    n = SHAPE["n_layers"] * SHAPE["n_heads"]
    assert stage.disk_bytes > 2 * 6 * len("L5H7 ") * comb(n + 1, 2)


def test_of_many_heads_not_every_set_is_ablated(sister):
    every, some = (sister("induction", {"set_sizes": most}) for most in (49, 12))
    few, all_of_them = (by_rule(plan)["ablate_orders"] for plan in (some, every))
    assert few.flops < all_of_them.flops / 2
    assert by_rule(sister("induction", {"set_sizes": 10_000}))["ablate_orders"] == all_of_them
