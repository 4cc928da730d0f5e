"""Plans of the studies beside arithmetic: counts by hand, sizes that count, what studies share."""

import shutil
from dataclasses import replace
from itertools import combinations
from math import comb

import pandas as pd
import pytest

from pipeline_lib import stimuli
from pipeline_lib.config import SISTERS
from pipeline_lib.errors import PromptError, TokenizerError
from pipeline_lib.induction import ablation, heads
from pipeline_lib.induction.kinds import KINDS
from pipeline_lib.odd_one_out import baselines as odd_baselines
from pipeline_lib.plan import (
    Expected,
    assumed_throughput,
    flops,
    induction_stages,
    make_plan,
    odd_prompts,
    plan_table,
    plan_text,
    power_stages,
)
from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan.prompt_layout import NAMES, Place, count_tokens, place_of
from pipeline_lib.plan.sister_planning import STUDIES
from pipeline_lib.plan.sister_work import patch_flops, swept_flops
from pipeline_lib.power import baseline as power_baseline
from pipeline_lib.power import sweeping
from pipeline_lib.stimuli import sequences
from tests.project import ROOT
from tests.unit.plan.conftest import HUB, SHAPE

ON = {name: {"enabled": True, "models": ["some"]} for name in SISTERS}
OFF = {"arithmetic": {"enabled": False}}


@pytest.fixture
def sister(config, tmp_path):
    """Plan of one study of the hub model under some settings."""

    def make(study: str, settings: dict | None = None, **expected):
        raw = {"models": {"some": HUB}, study: {"models": ["some"], **(settings or {})}}
        checked = config(raw)
        told = Expected(**expected)
        return make_plan(checked, tmp_path, studies=[study], expected=told)[0]

    return make


def by_rule(plan):
    return {stage.rule: stage for stage in plan.stages}


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
    assert induction_stages.nested_flops(small, 9) == pytest.approx(found)


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


# what studies share


def test_a_model_is_fetched_and_described_once(config, tmp_path):
    plans = make_plan(config({"models": {"some": HUB}}, OFF, ON), tmp_path)
    assert [plan.work.study_name for plan in plans] == list(SISTERS)
    table = plan_table(plans, assumed_throughput)
    shared = table[table["stage"].isin(["fetch_model", "describe_model"])]
    assert shared[["study", "stage", "jobs"]].to_numpy().tolist() == [
        ["bayes", "fetch_model", 1],
        ["bayes", "describe_model", 1],
    ]
    text = plan_text(plans, assumed_throughput)
    assert "models=1 " in text.splitlines()[-1]
    assert "some, odd_one_out: 6 layers" in text
    assert "knock_out_heuristics" not in text
    assert "answered right" not in text


def test_arithmetic_and_its_checkpoints_come_first(config):
    studies = {"induction": {"enabled": True, "models": ["tiny-arith", "tiny-arith@step0"]}}
    first, *others = make_plan(config(studies), ROOT)
    assert by_rule(first)["describe_model"].jobs == 7
    assert [plan.stages[0].rule for plan in others] == ["order_drift"] * 2
    alone = make_plan(config(studies, OFF), ROOT)
    assert [by_rule(plan)["describe_model"].jobs for plan in alone] == [1, 1]
    assert by_rule(alone[0])["order_drift"] == by_rule(others[0])["order_drift"]


def test_a_planted_model_is_built_once(config, tmp_path):
    planted = {"models": {"some": {"source": "planted"}}, "arithmetic": {"models": ["some"]}}
    plans = make_plan(config(planted, ON), tmp_path)
    assert [sum(s.rule == "plant_model" for s in plan.stages) for plan in plans] == [1, 0, 0, 0, 0]


def test_nothing_on_is_said(config):
    plans = make_plan(config(OFF), ROOT)
    assert plans == []
    text = plan_text(plans, assumed_throughput)
    assert text.startswith("No study is switched on: set one of arithmetic.enabled, bayes.enabled")
    assert text.splitlines()[-1].startswith("models=0 jobs=0 ")


LARGE = {
    "n_layers": 80, "n_heads": 64, "n_kv_heads": 8, "d_head": 128, "d_model": 8192,
    "d_mlp": 28672, "d_vocab": 128256, "gated_mlp": True,
}  # fmt: skip


def test_a_large_model_is_planned_without_numbers(config, tmp_path):
    """Llama-3.3-70B, of which only the sizes are known."""
    model = {**HUB, "shape": LARGE, "dtype": "bfloat16", "device_map": "auto", "gpus": 4}
    checked = config({"models": {"some": model}}, OFF, {"odd_one_out": ON["odd_one_out"]})
    (plan,) = make_plan(checked, tmp_path)
    stages = by_rule(plan)
    assert stages["fetch_model"].disk_bytes == 2 * plan.shape.n_parameters
    sweeps = stages["odd_one_out_sweeps"]
    assert sweeps.gpus == 4
    assert sweeps.memory_bytes > 141e9
    # 20 pairs of 22 tokens, some of them six times, at 141 GFLOP a token, and the patches
    assert 1e16 < sweeps.flops < 1e18
    table = plan_table([plan], assumed_throughput)
    assert table.loc[table["stage"] == sweeps.rule, "gpu_hours"].item() > 0
    arithmetic = config({"models": {"some": model}, "arithmetic": {"models": ["some"]}})
    with pytest.raises(TokenizerError, match=r"models\.some\.shape\.max_number"):
        make_plan(arithmetic, tmp_path)


@pytest.mark.parametrize("tokenizer", [None, '{"model": {"vocab": {"Sequence": 0}}}'])
def test_a_tokenizer_without_numbers_is_no_matter(config, tmp_path, tokenizer):
    folder = tmp_path / "data" / "models" / "some"
    folder.mkdir(parents=True)
    shutil.copy2(ROOT / "data/models/tiny-induction/config.json", folder)
    if tokenizer:
        (folder / "tokenizer.json").write_text(tokenizer)
    local = {"models": {"some": {"source": "local", "path": "data/models/some"}}}
    plans = make_plan(config(local, ON, OFF), tmp_path)
    assert [plan.shape.n_layers for plan in plans] == [2] * 4


def test_a_table_of_the_users_that_is_missing_is_named(config, tmp_path):
    for study, key in (("power", "pairs"), ("odd_one_out", "people")):
        raw = {"models": {"some": HUB}, study: {"models": ["some"], key: "mine.csv"}}
        with pytest.raises(PromptError, match=r"mine\.csv"):
            make_plan(config(raw), tmp_path, studies=[study])


def test_own_people_and_pairs_count(config, tmp_path):
    people = pd.read_csv(ROOT / "pipeline_lib/stimuli/people.csv")
    people[people["super_class"] != "athlete"].to_csv(tmp_path / "people.csv", index=False)
    plans = [
        make_plan(
            config({"models": {"some": HUB}, "odd_one_out": {"models": ["some"], "people": own}}),
            tmp_path,
            studies=["odd_one_out"],
        )[0]
        for own in ("", "people.csv")
    ]
    shipped, own = (by_rule(plan)["odd_one_out_baselines"].disk_bytes for plan in plans)
    assert own < 0.95 * shipped


def test_a_study_whose_stages_are_unknown_says_so(config, tmp_path, monkeypatch):
    monkeypatch.delitem(STUDIES, "power")
    checked = config({"models": {"some": HUB}, "power": {"models": ["some"]}})
    plans = make_plan(checked, tmp_path, studies=["power"])
    assert [s.rule for s in plans[0].stages] == ["fetch_model", "describe_model", "figures"]
    monkeypatch.delitem(assumed.SISTER_NOTES, "power")
    assert "power: the cost of its stages is not known" in plan_text(plans, assumed_throughput)


def test_wide_models_are_taken_to_be_faster():
    assert assumed.core_tflops(64) == assumed.CORE_TFLOPS
    assert assumed.core_tflops(576) == assumed.WIDE_CORE_TFLOPS


def test_a_model_of_a_package_is_stored_as_it_is_converted(config, tmp_path):
    """Its quantised weights become four bytes each, whatever type they are loaded as."""
    package = {"source": "package", "name": "some", "version": "1.0", "file": "a.gguf"}
    model = {**package, "sha256": "0" * 64, "shape": SHAPE, "dtype": "bfloat16"}
    checked = config({"models": {"some": model}}, OFF, {"bayes": ON["bayes"]})
    (plan,) = make_plan(checked, tmp_path)
    assert by_rule(plan)["fetch_model"].disk_bytes == 4 * plan.shape.n_parameters
