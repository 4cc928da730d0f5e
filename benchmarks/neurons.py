"""Every neuron patched at the last position, beside the plain loop that everyone writes.

(a) one hooked forward of the Hugging Face model for each neuron, all prompts in one batch; (b)
`patch_neurons`. Both give the log-probabilities of both answers after every patch, from the same
recorded counterfactual activations; the loop runs a random sample of the neurons (all forwards
cost the same) and is scaled up, and its log-probabilities are compared.

Run it as `python -m benchmarks.neurons`; the last line is for machines.
"""

import argparse

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.machine import timed
from benchmarks.subjects import MODELS, Pairs, draw_pairs, load_subject
from pipeline_lib.interventions import Activations, PatchedNeurons, capture, patch_neurons
from pipeline_lib.models.loading import LanguageModel


def main() -> None:
    """Time both, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, default="tiny-arith")
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--sample", type=int, default=128, help="neurons that the loop patches")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load_subject(options.model)
    pairs = draw_pairs(model, options.prompts)
    source = capture(model, pairs.other, ("mlp_post",), positions=[-1], keep_logits=False)
    shape = (model.n_layers, model.d_mlp)
    units = torch.from_numpy(np.indices(shape).reshape(2, -1))
    chosen = torch.from_numpy(np.random.default_rng(0).permutation(units.shape[1]))
    chosen = chosen[: options.sample].sort().values

    found: list[PatchedNeurons] = []
    answers = (pairs.answers, pairs.other_answers)
    ours = timed(lambda: found.append(patch_neurons(model, pairs.tokens, source, *answers, *units)))
    looped: list[torch.Tensor] = []
    part = timed(lambda: looped.extend(loop(model, pairs, source, units[:, chosen])))
    plain = part * units.shape[1] / len(chosen)

    engine = np.stack([found[0].patched_r, found[0].patched_cf], -1)[:, chosen]
    difference = np.abs(engine - torch.stack(looped, 1).numpy()).max()
    print(
        f"loop {plain:.1f} s ({len(chosen)} of {units.shape[1]} neurons run), engine {ours:.2f} s"
    )
    print(
        f"model={options.model} prompts={options.prompts} neurons={units.shape[1]}"
        f" loop_s={plain:.2f} engine_s={ours:.3f} ratio={plain / ours:.1f}"
        f" max_logp_diff={difference:.1e}"
    )


@torch.inference_mode()
def loop(
    model: LanguageModel, pairs: Pairs, source: Activations, units: torch.Tensor
) -> list[torch.Tensor]:
    """Log-probabilities [prompt, answer] with one hooked pass of the whole model a neuron."""
    ids = torch.stack([pairs.answers, pairs.other_answers], 1)
    post, results = source.site("mlp_post")[:, 0], []
    for layer, neuron in tqdm(units.T.tolist(), leave=False):

        def patch(_: object, args: tuple[torch.Tensor], layer=layer, neuron=neuron):
            x = args[0].clone()
            x[:, -1, neuron] = post[:, layer, neuron]
            return (x,)

        handle = model.hf.model.layers[layer].mlp.down_proj.register_forward_pre_hook(patch)
        logits = model.hf(pairs.tokens, use_cache=False).logits[:, -1]
        handle.remove()
        results.append(logits.double().log_softmax(-1).gather(1, ids))
    return results


if __name__ == "__main__":
    main()
