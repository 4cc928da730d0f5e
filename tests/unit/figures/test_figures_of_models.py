"""Summed localization, and the figures of several models: numbers by hand and by other means."""

import numpy as np
import pandas as pd
import pytest

import pipeline_lib.figures.fig02_localization as fig02
import pipeline_lib.figures.fig02_localization_summed as summed
import pipeline_lib.figures.fig03_probe_accuracy as fig03
import pipeline_lib.figures.fig04b_faithfulness_topk as fig04b
import pipeline_lib.figures.fig08_prompt_knockout as fig08
import pipeline_lib.figures.fig08_prompt_knockout_models as fig08_models
import pipeline_lib.figures.fig16_model as fig16
from pipeline_lib import store
from pipeline_lib.errors import ArtifactError

OPERATORS = ["add", "sub", "div"]
MODELS = ["some-model", "other@step65"]


# fig02 summed


def test_summed_effects_are_those_of_all_positions(study, write):
    drawn = summed.make({"effects": study("effects")}, OPERATORS, {})
    table = drawn.table.set_index(["layer", "component"])
    by_position = fig02.make({"effects": study("effects")}, OPERATORS, {}).table
    expected = by_position.groupby(["layer", "component"])["mean"].sum()
    assert table["mean"].to_numpy() == pytest.approx(expected[table.index].to_numpy())
    # 1 and 2 of add's seeds and three times that of sub's; an operator's prompts are the same.
    # The same seed is drawn twice by both with probability 1/16
    assert table.loc[(2, "head_1"), ["mean", "low", "high"]].tolist() == [3.0, 2.0, 4.0]
    # four prompts with one sign: 2 of the 16 ways to flip them; two cells of nine are not 0
    assert table.loc[(2, "head_1"), ["log_odds", "p"]].tolist() == [-3.0, 0.125]
    assert table.loc[(1, "head_1"), ["log_odds", "p", "q"]].tolist() == [0.0, 1.0, 1.0]
    assert table.loc[(2, "head_1"), "q"] == 0.125 * 9 / 2
    assert table.loc[(2, "head_1"), "log1p"] == pytest.approx(np.log(4.0))
    assert set(table["n_operators"]) == {2}
    assert set(table["n_prompts"]) == {4}
    heads, mlps = (axes.images[0].get_array() for axes in drawn.figure.axes[:2])
    assert heads.shape == (3, 2)
    assert heads[2, 1] == pytest.approx(np.log(4.0))
    assert mlps.shape == (3, 1)
    assert mlps[0, 0] == pytest.approx(np.log(1.5))
    write(drawn)


def test_intervals_resample_the_prompts_within_each_operator(study):
    effects = {op: fig02.read_effects(study("effects", [op])) for op in ("add", "sub")}
    rng = np.random.default_rng(0)
    for values in effects.values():
        for seed in values.seeds:
            seed[...] = rng.normal(size=seed.shape)
    table = summed.tabulate_summed(effects)
    # every way to draw two seeds and two prompts of two, for both operators
    ways = [(0, 0), (0, 1), (1, 0), (1, 1)]
    means = [
        [np.stack(values.seeds)[list(s)][:, list(p)].mean(axis=(0, 1)) for s in ways for p in ways]
        for values in effects.values()
    ]
    every = np.array([(a + b).sum(axis=0) / 2 for a in means[0] for b in means[1]])
    expected = np.quantile(np.repeat(every, 8, axis=0), [0.025, 0.975], axis=0)
    for end, values in zip(("low", "high"), expected, strict=True):
        spread = every.std(axis=0).ravel()
        assert (np.abs(table[end].to_numpy() - values.ravel()) < 0.3 * spread).all()
    assert (table["low"] < table["mean"]).all()


def test_effects_that_are_not_finite_are_left_out_of_the_sum(study, words_of):
    effects = fig02.read_effects(study("effects", ["add"]))
    effects.seeds[0][0, 3, 2, 1] = np.inf
    effects.seeds[1][:, :, 1, 2] = effects.seeds[0][:, :, 1, 2] = -0.9
    table = summed.tabulate_summed({"add": effects})
    rows = table.set_index(["layer", "component"])
    assert rows.loc[(2, "head_1"), "mean"] == pytest.approx((1 + 2 + 2) / 3)
    assert rows.loc[(1, "mlp"), "mean"] == pytest.approx(-3.6)
    assert rows.loc[(1, "mlp"), "log1p"] == pytest.approx(np.log(0.001))
    drawn = summed.Drawn(summed.draw_summed(table), table)
    assert "1 means below -0.999" in words_of(drawn)


# fig08 of all models


def knockouts(folder, name, accuracies):
    """A table with four prompts, of which a share is right at the limits 0 and 5."""
    rows = [
        {"a": prompt, "b": 1, "answer": 2, "ablation": "zero", "condition": condition,
         "limit": limit, "n_neurons": limit, "correct": prompt < 4 * share}
        for condition in ("heuristic", "control", "matched")
        for limit, share in zip((0, 5), accuracies, strict=False)
        for prompt in range(4)
    ]  # fmt: skip
    columns = ["a", "b", "answer", "ablation", "condition", "limit", "n_neurons", "correct"]
    store.write_table(folder / name, pd.DataFrame(rows, columns=columns))
    return str(folder / name)


@pytest.fixture
def of_two_models(tmp_path):
    """Files model by model, operator by operator; the second model has no prompts of sub."""
    shares = {
        ("some-model", "add"): (1.0, 0.5), ("some-model", "sub"): (1.0, 0.25),
        ("other@step65", "add"): (1.0, 0.75), ("other@step65", "sub"): (),
    }  # fmt: skip
    return [knockouts(tmp_path, f"{m}_{op}", found) for (m, op), found in shares.items()]


def test_every_model_has_a_panel_with_the_numbers_of_its_own_figure(of_two_models, write):
    operators = ["add", "sub"]
    drawn = fig08_models.make({"knockouts": of_two_models}, operators, {"models": MODELS})
    for place, model in enumerate(MODELS):
        files = of_two_models[2 * place : 2 * place + 2]
        own = fig08.make({"knockouts": files}, operators, {}).table
        rows = drawn.table[drawn.table["model"] == model].drop(columns="model")
        assert rows.reset_index(drop=True).to_dict("list") == own.to_dict("list")
    last = drawn.table[(drawn.table["limit"] == 5) & (drawn.table["condition"] == "heuristic")]
    assert last["accuracy"].tolist() == [0.5, 0.25, 0.75]
    panels = drawn.figure.axes
    assert [axes.get_title() for axes in panels] == MODELS
    assert panels[0].get_ylim() == panels[1].get_ylim()
    assert [len(axes.lines) for axes in panels] == [6, 3]
    write(drawn)


def test_one_model_alone_and_one_without_prompts(of_two_models, tmp_path, write, words_of):
    settings = {"models": MODELS[:1]}
    alone = fig08_models.make({"knockouts": of_two_models[:2]}, ["add", "sub"], settings)
    assert [axes.get_title() for axes in alone.figure.axes] == MODELS[:1]
    write(alone)
    empty = knockouts(tmp_path, "empty", ())
    files = [*of_two_models[:2], empty, empty]
    drawn = fig08_models.make({"knockouts": files}, ["add", "sub"], {"models": MODELS})
    assert set(drawn.table["model"]) == {"some-model"}
    assert "nothing was knocked out" in words_of(drawn)
    write(drawn)
    nothing = fig08_models.make({"knockouts": [empty] * 4}, ["add", "sub"], {"models": MODELS})
    assert nothing.table.empty
    write(nothing)


def test_files_that_do_not_fit_the_models_are_refused(of_two_models):
    with pytest.raises(ArtifactError, match="every model"):
        fig08_models.make({"knockouts": of_two_models[:3]}, ["add"], {"models": MODELS})


# fig16 and those after it


def probes(folder, operator):
    """Right in half of ten test prompts at the last layer, one in ten elsewhere."""
    rows = [
        (operator, layer, position, variant, 0.5 if layer == 1 else 0.1, 0.0, 1.0, 0.1, 40, 10)
        for variant in ("answer", "shuffled", "held_out")
        for layer in (0, 1)
        for position in ("operand2", "equals")
    ]
    columns = ["operator", "layer", "position", "variant", "accuracy", "low", "high", "chance",
               "n_train", "n_test"]  # fmt: skip
    rows = [] if operator == "div" else rows
    store.write_table(folder / f"{operator}_probes", pd.DataFrame(rows, columns=columns))
    return str(folder / f"{operator}_probes")


def faithfulness(folder, operator):
    """Two prompts; the curve over neurons rises from 0 to 1."""
    rows = [
        {"operator": operator, "a": a, "b": 1, "answer": 2, "seed": 42, "curve": "neurons",
         "size": size, "nl": f, "nl_none": 0.0, "nl_model": 1.0, "faithfulness": f, "kl": 0.1,
         "correct": True}
        for a in (1, 2)
        for size, f in ((0, 0.0), (1, 0.1 * a), (10, 1.0))
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    store.write_table(
        folder / f"{operator}_faithfulness", table.iloc[:0] if operator == "div" else table
    )
    return str(folder / f"{operator}_faithfulness")


@pytest.fixture
def of_one_model(study, tmp_path):
    """Inputs of the figure of a further model; div has no prompts."""

    def inputs(operators):
        shares = {"add": (1.0, 0.5), "sub": (1.0, 0.25), "div": ()}
        return {
            "effects": study("effects", operators),
            "probes": [probes(tmp_path, op) for op in operators],
            "faithfulness": [faithfulness(tmp_path, op) for op in operators],
            "knockouts": [knockouts(tmp_path, f"{op}_ko", shares[op]) for op in operators],
        }

    return inputs


def test_panels_have_the_numbers_of_the_figures_they_repeat(of_one_model, write, words_of):
    inputs = of_one_model(OPERATORS)
    drawn = fig16.make(inputs, OPERATORS, {})
    modules = (fig02, fig03, fig04b, fig08)
    assert drawn.table["panel"].unique().tolist() == list(fig16.PANELS)
    for panel, module in zip(fig16.PANELS, modules, strict=True):
        own = module.make(inputs, OPERATORS, {}).table
        rows = drawn.table[drawn.table["panel"] == panel][own.columns].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, own, check_dtype=False)
    words = words_of(drawn)
    for said in ("attention heads", "probes for the answer", "faithfulness", "neurons silenced"):
        assert said in words
    assert {"a", "b", "c", "d"} <= set(words.split("\n"))
    assert "division (no prompts)" in words
    write(drawn)


def test_a_further_model_without_prompts_says_so_in_every_panel(of_one_model, write, words_of):
    drawn = fig16.make(of_one_model(["div"]), ["div"], {})
    assert drawn.table.empty
    words = words_of(drawn)
    for said in ("no effect was measured", "no probe was trained", "no circuit was tested",
                 "nothing was knocked out"):  # fmt: skip
        assert said in words
    write(drawn)
