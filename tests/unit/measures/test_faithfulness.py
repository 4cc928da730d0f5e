"""NL, F, divergence and areas on numbers small enough for paper."""

import numpy as np
import pytest
import torch

from pipeline_lib.measures.faithfulness import curve_areas, faithfulness, ratio_of_means
from pipeline_lib.measures.logits import divergence, is_answered, normalised_logit


def test_normalised_logit_by_hand():
    # mean 2: answer (3 - 2) over largest (6 - 2); the largest itself is 1; below the mean, negative
    logits = torch.tensor([[0.0, 3.0, 6.0, -1.0]]).expand(3, 4)
    found = normalised_logit(logits, torch.tensor([1, 2, 3]))
    assert found.tolist() == pytest.approx([0.25, 1.0, -0.75])


def test_a_constant_added_to_all_logits_changes_nothing():
    logits = torch.randn(5, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    answers = torch.arange(5)
    for shift in (-1000.0, 3.0, 1e4):
        torch.testing.assert_close(
            normalised_logit(logits + shift, answers), normalised_logit(logits, answers),
            rtol=1e-9, atol=1e-9,
        )  # fmt: skip


def test_equal_logits_have_no_normalised_logit():
    assert normalised_logit(torch.full((1, 4), 2.0), torch.tensor([0])).isnan().all()


def test_divergence_by_hand():
    reference = torch.tensor([0.5, 0.5]).log() + 7  # logits, up to a constant
    logits = torch.tensor([[0.25, 0.75], [0.5, 0.5]]).log()
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert divergence(logits, reference).tolist() == pytest.approx([expected, 0.0], abs=1e-7)


def test_answered():
    logits = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
    assert is_answered(logits, torch.tensor([1, 1])).tolist() == [True, False]


def test_faithfulness_by_hand():
    # nothing .2, model 1: a circuit at .6 is half way; beyond both ends it is not cut off
    found = faithfulness(np.array([0.6, 0.1, 1.2]), np.array(0.2), np.array(1.0))
    assert found.tolist() == pytest.approx([0.5, -0.125, 1.25])


def test_ends_are_exact():
    none, model = np.array([0.1, 1 / 3]), np.array([0.7, 0.9])
    assert faithfulness(model, none, model).tolist() == [1.0, 1.0]
    assert faithfulness(none, none, model).tolist() == [0.0, 0.0]


def test_undefined_where_the_ablated_model_gives_the_answer_too():
    found = faithfulness(np.array([0.5, 0.5]), np.array([1.0, 0.0]), np.array([1.0, 1.0]))
    assert np.isnan(found[0])
    assert found[1] == 0.5


def test_ratio_of_means_is_not_the_mean_of_ratios():
    circuit, none, model = np.array([[0.5], [0.9]]), np.array([0.0, 0.8]), np.array([1.0, 1.0])
    # (.7 - .4) / (1 - .4); the ratios are .5 and .5
    assert ratio_of_means(circuit, none, model) == pytest.approx(np.array([0.5]))
    circuit[1] = 0.6  # ratios .5 and -1, whose mean is -.25
    assert ratio_of_means(circuit, none, model) == pytest.approx(np.array([0.25]))
    assert np.isnan(ratio_of_means(circuit[:0], none[:0], model[:0])).all()


def test_areas_by_hand():
    # x = 0, .25, 1: trapezoids .25 * .25 + .75 * .75; |1 - f| .25 * .75 + .75 * .25
    cpr, cmd = curve_areas(np.array([0, 1, 4]), np.array([[0.0, 0.5, 1.0], [1.0, 1.0, 1.0]]))
    assert cpr.tolist() == pytest.approx([0.25 * 0.25 + 0.75 * 0.75, 1.0])
    assert cmd.tolist() == pytest.approx([0.25 * 0.75 + 0.75 * 0.25, 0.0])


def test_too_faithful_costs_as_much_as_too_little():
    cpr, cmd = curve_areas(np.array([2, 4]), np.array([1.5, 1.5]))
    assert (float(cpr), float(cmd)) == (1.5, 0.5)


def test_one_size_has_no_area():
    assert np.isnan(curve_areas(np.array([3]), np.array([0.4]))).all()
