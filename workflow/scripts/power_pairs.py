"""Adapter of rule power_pairs."""

from pipeline_lib import store
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.power.baseline import Answers, pair_table, token_rows
from pipeline_lib.power.measure import baselines, counts
from pipeline_lib.power.prompts import read_pair_prompts
from pipeline_lib.stimuli.power import read_pairs

with job(snakemake.log[0]), resumable(snakemake):
    params, output = snakemake.params, snakemake.output
    asked = params.asked
    pairs = read_pairs(*snakemake.input.pairs)
    model = open_model(snakemake.input.manifest, **params.model)
    answers = Answers.of(model, asked["true_variants"], asked["false_variants"])
    prompts = read_pair_prompts(model.tokenizer, pairs, asked["question"])
    table, floor = pair_table(model, pairs, prompts, answers, params.status)
    store.write_table(output.pairs, table)
    store.write_table(output.tokens, token_rows(model, prompts))
    store.write_table(output.baselines, baselines(table, params.seed))
    pieces = model.tokenizer.convert_ids_to_tokens(answers.ids.tolist())
    variants = {"true": pieces[: answers.n_true], "false": pieces[answers.n_true :]}
    shape = {"n_layers": model.n_layers, "n_heads": model.n_heads}
    summary = {"counts": counts(table), "noise_floor": floor, "variants": variants}
    store.write_json(output.summary, summary | shape | params.status)
