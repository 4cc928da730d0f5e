"""tiny-induction: its tokenizer, texts, a tiny run, and the model that ships."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.errors import ConfigError
from pipeline_lib.models.loading import load_model
from pipeline_lib.models.training.tiny_induction import (
    AttentionSize,
    InductionTraining,
    build_attention_model,
    draw_texts,
    score_folder,
    train,
    train_and_save_induction,
)
from pipeline_lib.models.training.words import build_word_tokenizer, made_up_words, word_ids
from pipeline_lib.rng import generator

SHIPPED = Path(__file__).resolve().parents[3] / "data" / "models" / "tiny-induction"
TINY = InductionTraining(
    size=AttentionSize(n_heads=2, d_head=8, d_model=16),
    steps=60, batch=8, length=12, words=20, most_phrases=2, longest_phrase=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer():
    return build_word_tokenizer(20, np.random.default_rng(0))


def test_words_are_tokens_with_the_space_before_them(tokenizer):
    ids = tokenizer("Sequence: X Y Z")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["Sequence:", " X", " Y", " Z"]
    assert tokenizer.decode(ids) == "Sequence: X Y Z"
    assert tokenizer("Sequence: nothing")["input_ids"][1] == tokenizer.unk_token_id
    assert len(word_ids(tokenizer)) == 46
    assert len(tokenizer) == 4 + 1 + 46


def test_made_up_words_are_different_and_limited():
    assert len(set(made_up_words(500, np.random.default_rng(0)))) == 500
    with pytest.raises(ConfigError, match="not so many"):
        made_up_words(10_000, np.random.default_rng(0))


def test_texts_repeat_their_phrases(tokenizer):
    texts = draw_texts(TINY, word_ids(tokenizer), (1, 4), np.random.default_rng(0)).numpy()
    assert texts.shape == (8, 12)
    assert set(texts[:, 0]) == {1}
    assert (texts[::2, 1] == 4).all()
    assert (texts[1::2, 1] != 4).all()
    for row in texts.tolist():
        words = [word for word in row if word > 4]
        assert len(set(words)) <= TINY.most_phrases * TINY.longest_phrase < len(words) + 1


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError, match="out of range"):
        InductionTraining(words=4, most_phrases=10, longest_phrase=10)


def test_heads_of_the_first_layer_start_out_near(tokenizer):
    model = build_attention_model(TINY, tokenizer)
    first, second = (layer.self_attn for layer in model.model.layers)
    assert torch.equal(first.q_proj.bias, first.k_proj.bias)
    assert first.q_proj.bias.abs().max() > 0
    assert second.q_proj.bias.abs().max() == 0
    norms = first.q_proj.bias.reshape(2, 8).norm(dim=1)
    torch.testing.assert_close(norms, torch.tensor([1.0, 2.0]) * 8**0.5)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_tiny_run_learns_and_leaves_a_folder_that_loads(tokenizer, tmp_path):
    losses = train(build_attention_model(TINY, tokenizer), tokenizer, TINY)
    assert np.mean(losses[-3:]) < np.mean(losses[:3]) - 0.1
    scores = train_and_save_induction(TINY, tmp_path / "model")
    model = load_model(tmp_path / "model")
    assert (model.d_mlp, model.n_layers, model.n_heads) == (0, 2, 2)
    stored = pd.read_csv(tmp_path / "model" / "scores.csv")
    np.testing.assert_allclose(stored["value"], scores["value"], atol=1e-6)


@pytest.fixture(scope="module")
def shipped():
    return pd.read_csv(SHIPPED / "scores.csv").set_index(["quantity", "of"])


def test_the_shipped_scores_are_what_the_shipped_model_does(shipped):
    measured = score_folder(SHIPPED).set_index(["quantity", "of"])
    np.testing.assert_allclose(measured["value"], shipped["value"], atol=1e-4)


def test_the_shipped_model_shows_induction_and_is_sensitive_to_the_order(shipped):
    values = shipped["value"]
    assert values["induction_score"].max() > 0.7
    assert values["previous_score"].max() > 0.9
    assert values[("recall", "second half")] > 0.95
    assert values[("recall", "first half")] < 0.02
    assert values[("drift", "20 orders")] > 0.5


def test_the_shipped_folder_is_small_and_names_no_machine():
    assert (SHIPPED / "model.safetensors").stat().st_size < 2_000_000
    for file in SHIPPED.glob("*.json"):
        assert "/tmp" not in file.read_text()
        assert "name_or_path" not in file.read_text()


def test_the_rules_defaults_are_those_of_the_library():
    from pipeline_lib.config.training import TinyInductionTraining

    section, library = TinyInductionTraining().model_dump(), InductionTraining()
    assert {name: getattr(library, name) for name in section} == section
    tokenizer = build_word_tokenizer(
        library.words, generator(library.seed, "train_tiny_induction", "words")
    )
    assert tokenizer.get_vocab() == load_model(SHIPPED).tokenizer.get_vocab()
