"""The self-test passes a right engine on every architecture, and catches a wrong one."""

import dataclasses

import pytest
import torch

from pipeline_lib.errors import PromptError, VerificationError
from pipeline_lib.models.loading import load_model
from pipeline_lib.rng import generator
from pipeline_lib.verification import lens, verify
from pipeline_lib.verification.checks import require_passed
from pipeline_lib.verification.plain import HuggingFaceHooks
from pipeline_lib.verification.sample import PromptPairs
from pipeline_lib.verification.verify import noise_floor, verify_engine

POSITIONS = (1, 2, 3, 4)


@pytest.fixture(scope="module")
def pairs(number_tokens, prompt_pairs):
    tokens = [number_tokens.encode(table) for table in prompt_pairs]
    ids = torch.from_numpy(number_tokens.number_ids)
    answers = (ids[torch.tensor(table["answer"].to_numpy(copy=True))] for table in prompt_pairs)
    return PromptPairs(*tokens, *answers, POSITIONS)


@pytest.fixture
def run(model_folder, pairs):
    def run(name="llama", dtype="float32", patches=16):
        folder = model_folder(name)
        rng = generator(0, "test")
        return verify_engine(lambda: load_model(folder, dtype=dtype), pairs, patches, rng)

    return run


def by_name(checks):
    return {(check.name, check.reference): check for check in checks}


def test_every_architecture_passes_with_both_references(tiny_model, run):
    checks = run(tiny_model.name)
    assert {check.status for check in checks} == {"measured", "passed"}
    assert {check.reference for check in checks if check.name == verify.PATCHED} == {
        HuggingFaceHooks.label,
        lens.LABEL,
    }
    assert [check.name for check in checks if check.reference == verify.IDENTITY] == [
        verify.ITSELF,
        verify.SILENT,
        verify.EVERYTHING,
    ]
    assert all(check.compared for check in checks)
    assert max(check.max_rel_difference for check in checks) < 1e-5
    require_passed(checks, "model")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_narrow_types_pass_with_a_tolerance_from_the_noise_floor(run, dtype):
    checks = run("llama", dtype)
    noise = by_name(checks)[verify.NOISE, "the model itself"].max_rel_difference
    expected = 4 * max(noise, torch.finfo(getattr(torch, dtype)).eps)
    assert by_name(checks)[verify.PATCHED, HuggingFaceHooks.label].tolerance == expected
    require_passed(checks, "model")


def broken(function, change):
    def wrong(*args, **kwargs):
        return change(function(*args, **kwargs))

    return wrong


def test_logits_off_by_a_thousandth_are_caught_by_name_value_and_tolerance(run, monkeypatch):
    wrong = broken(verify.patch_logits, lambda logits: logits + 1e-3)
    monkeypatch.setattr(verify, "patch_logits", wrong)
    checks = run()
    failed = [check for check in checks if check.status == "failed"]
    assert {check.name for check in failed} == {verify.ITSELF, verify.SILENT, verify.PATCHED}
    assert all(check.max_abs_difference == pytest.approx(1e-3, rel=0.05) for check in failed)
    with pytest.raises(VerificationError) as told:
        require_passed(checks, "model llama")
    for part in ("self-test", "model llama", "tolerance 1e-05", "3 more checks failed"):
        assert part in str(told.value)
    assert any(check.name in str(told.value) for check in failed)


def test_a_wrong_effect_map_is_caught(run, monkeypatch):
    def swap(answers):
        return dataclasses.replace(answers, patched_r=answers.patched_r[:, ::-1].copy())

    monkeypatch.setattr(verify, "patch_components", broken(verify.patch_components, swap))
    failed = {check.name for check in run() if check.status == "failed"}
    assert failed == {verify.ANSWERS}


def test_one_wrong_layer_is_caught(run, monkeypatch):
    """Every layer is in the sample: patches of one layer alone are wrong, and one is there."""

    def skip_layer(model, tokens, counterfactual, patches, **kwargs):
        logits = verify_patch_logits(model, tokens, counterfactual, patches, **kwargs)
        return torch.where((patches.layer == 1)[:, None], logits.flip(1), logits)

    verify_patch_logits = verify.patch_logits
    monkeypatch.setattr(verify, "patch_logits", skip_layer)
    assert by_name(run(patches=1))[verify.PATCHED, lens.LABEL].status == "failed"


def test_nan_fails(run, monkeypatch):
    wrong = broken(verify.patch_everything, lambda logits: logits * torch.nan)
    monkeypatch.setattr(verify, "patch_everything", wrong)
    with pytest.raises(VerificationError, match=verify.EVERYTHING):
        require_passed(run(), "model")


def test_a_model_that_transformer_lens_cannot_wrap_is_reported_not_skipped(run, monkeypatch):
    def refuse(self, model):
        raise NotImplementedError("no adapter for LlamaForCausalLM\nand more")

    monkeypatch.setattr(lens.TransformerLensHooks, "__init__", refuse)
    checks = [check for check in run() if check.reference == lens.LABEL]
    assert [check.name for check in checks] == [verify.CLEAN, verify.PATCHED, verify.ANSWERS]
    assert {check.status for check in checks} == {"not available"}
    assert {check.note for check in checks} == {
        "NotImplementedError: no adapter for LlamaForCausalLM"
    }


def test_transformer_lens_that_computes_something_else_is_reported(run, monkeypatch):
    plain = lens.TransformerLensHooks.logits
    monkeypatch.setattr(
        lens.TransformerLensHooks, "logits", lambda self, tokens: plain(self, tokens) + 0.1
    )
    checks = [check for check in run() if check.reference == lens.LABEL]
    assert {check.status for check in checks} == {"not available"}
    assert "clean run is not the model's" in checks[0].note
    require_passed(checks, "model")


def test_noise_floor_is_the_difference_between_batch_sizes(llama_model, pairs, monkeypatch):
    hooks = HuggingFaceHooks(llama_model)
    assert 0 <= noise_floor(llama_model, hooks, pairs.tokens) < 1e-4
    plain = hooks.logits
    monkeypatch.setattr(hooks, "logits", lambda tokens: plain(tokens) + 0.25 * (len(tokens) == 1))
    assert noise_floor(llama_model, hooks, pairs.tokens) == pytest.approx(0.25, abs=1e-4)


def test_no_pairs_is_one_clear_error(pairs):
    with pytest.raises(PromptError, match="no prompt pair"):
        PromptPairs(
            pairs.tokens[:0],
            pairs.counterfactual_tokens[:0],
            pairs.answer_ids[:0],
            pairs.counterfactual_answer_ids[:0],
            POSITIONS,
        )
