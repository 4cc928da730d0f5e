"""Attention artifacts against the patterns of single prompts."""

import numpy as np
import pytest

from pipeline_lib import store
from pipeline_lib.artifacts import attention
from pipeline_lib.interventions import attention_patterns
from pipeline_lib.stimuli.arithmetic import make_prompts


@pytest.mark.parametrize("block_bytes", [1, attention.BLOCK_BYTES])
def test_pictures_are_the_attention_of_every_pair(
    tmp_path, llama_model, number_tokens, monkeypatch, block_bytes
):
    monkeypatch.setattr(attention, "BLOCK_BYTES", block_bytes)
    path = tmp_path / "pictures.h5"
    attention.write_pictures(
        path, llama_model, number_tokens.encode, ["add", "div"], size=4, provenance={}
    )
    with store.open_artifact(path, attention.PICTURES_KIND) as artifact:
        found = artifact.read("attention")
        assert artifact.axes("attention") == attention.AXES
        assert artifact.dataset("attention").chunks == (1, 1, 1, 1, 1 if block_bytes == 1 else 4, 4)
        assert artifact.coords("source").tolist() == list(attention.SOURCES)
    assert (found.shape, found.dtype) == ((2, 3, 4, 5, 4, 4), np.float16)
    for place, operator, a, b in [(0, "add", 3, 1), (1, "div", 2, 0), (1, "div", 0, 3)]:
        prompt = make_prompts(operator, np.array([a]), np.array([b]))
        pattern = attention_patterns(llama_model, number_tokens.encode(prompt), queries=[-1])
        expected = pattern[0, :, :, 0].numpy()
        np.testing.assert_allclose(found[place, ..., a, b], expected, atol=5e-4)


@pytest.mark.parametrize("steps", [1, 5])
def test_pictures_go_on_where_an_attempt_died(
    tmp_path, llama_model, number_tokens, monkeypatch, two_attempts, steps
):
    monkeypatch.setattr(attention, "BLOCK_BYTES", 1)  # a row of all pictures at a time

    def pictures(name="again.h5"):
        path = tmp_path / name
        encode = number_tokens.encode
        attention.write_pictures(path, llama_model, encode, ["add", "div"], size=4, provenance={})
        with store.open_artifact(path, attention.PICTURES_KIND) as artifact:
            return artifact.read("attention")

    np.testing.assert_array_equal(two_attempts(pictures, steps), pictures("whole.h5"))


def test_patterns_of_prompts_with_and_without_examples(tmp_path, llama_model, number_tokens):
    prompts = {
        "add": make_prompts("add", np.array([3, 8]), np.array([4, 1])),
        "mul": make_prompts("mul", np.array([], dtype=int), np.array([], dtype=int)),
        "sub": make_prompts("sub", np.array([9]), np.array([2])),
    }

    def encode(table):
        return number_tokens.encode(table, "1*2=2+")

    path = tmp_path / "patterns.h5"
    attention.write_patterns(path, llama_model, encode, prompts, provenance={})
    with store.open_artifact(path, attention.PATTERNS_KIND) as artifact:
        found, operator = artifact.read("pattern"), artifact.read("operator")
        assert artifact.read("a").tolist() == [3, 8, 9]
        assert artifact.coords("operator")[operator].tolist() == ["add", "add", "sub"]
    assert found.shape == (3, 3, 4, 5, 5)
    whole = attention_patterns(llama_model, encode(prompts["sub"]))[0].numpy()
    assert whole.shape[-1] == 11
    np.testing.assert_allclose(found[2, ..., 1:], whole[..., -5:, -4:], atol=1e-6)
    np.testing.assert_allclose(found[2, ..., 0], whole[..., -5:, :-4].sum(-1), atol=1e-6)
    np.testing.assert_allclose(found[:, :, :, 0, 0], 1.0, atol=1e-6)


def test_no_prompts_at_all(tmp_path, llama_model, number_tokens):
    none = make_prompts("add", np.array([], dtype=int), np.array([], dtype=int))
    path = tmp_path / "patterns.h5"
    attention.write_patterns(path, llama_model, number_tokens.encode, {"add": none}, provenance={})
    with store.open_artifact(path, attention.PATTERNS_KIND) as artifact:
        assert artifact.read("pattern").shape == (0, 3, 4, 5, 5)
