"""The planted network as a model folder in the Hugging Face layout, with its truth beside it."""

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from pipeline_lib import store
from pipeline_lib.models.planted.heads import ROPE_THETA
from pipeline_lib.models.planted.network import PlantedNetwork, build_network, model_shape, tokens
from pipeline_lib.models.planted.settings import MAX_NUMBER, PlantedSettings
from pipeline_lib.models.training.folders import save_folder
from pipeline_lib.models.training.tokenizer import build_tokenizer

NEURONS_FILE, HEADS_FILE = "planted_neurons.csv", "planted_heads.csv"
EPSILON = 1e-8
"""Of every norm: too small to change a mean square of 16 in float32."""


def write_planted_model(settings: PlantedSettings, folder: Path) -> PlantedNetwork:
    """Write weights (float32), config, tokenizer and the tables of what is planted."""
    network = build_network(settings)
    tokenizer = build_tokenizer(MAX_NUMBER, model_shape().n_positions)
    vocabulary = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    assert vocabulary == tokens(), "the tokenizer has another order"
    folder.mkdir(parents=True, exist_ok=True)
    save_folder(as_llama(network), tokenizer, folder)
    store.write_table(folder / NEURONS_FILE, network.neurons)
    store.write_table(folder / HEADS_FILE, network.heads)
    return network


def as_llama(network: PlantedNetwork) -> LlamaForCausalLM:
    """The network as a float32 Hugging Face Llama."""
    shape = model_shape()
    config = LlamaConfig(
        vocab_size=shape.d_vocab,
        hidden_size=shape.d_model,
        intermediate_size=shape.d_mlp,
        num_hidden_layers=shape.n_layers,
        num_attention_heads=shape.n_heads,
        num_key_value_heads=shape.n_kv_heads,
        head_dim=shape.d_head,
        max_position_embeddings=shape.n_positions,
        rms_norm_eps=EPSILON,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        tie_word_embeddings=False,
        pad_token_id=tokens().index("<pad>"),
        bos_token_id=tokens().index("<bos>"),
        eos_token_id=tokens().index("<eos>"),
    )
    model = LlamaForCausalLM(config)
    weights = {name: torch.from_numpy(array).float() for name, array in network.weights.items()}
    model.load_state_dict(weights)
    return model.eval()
