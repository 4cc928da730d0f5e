"""FLOPs of the stages of the studies beside arithmetic as torch counts them, by rule."""

from collections.abc import Callable, Mapping
from pathlib import Path
from unittest.mock import patch

from pipeline_lib import store
from pipeline_lib.artifacts.belief_probe import read_best_probe
from pipeline_lib.bayes import probe
from pipeline_lib.bayes import steering as steering_room
from pipeline_lib.bayes.answering import answer
from pipeline_lib.bayes.heads import HeadSettings, sweep_heads
from pipeline_lib.bayes.probe import ProbeSettings, probe_beliefs
from pipeline_lib.bayes.steering import SteeringSettings, steer
from pipeline_lib.config import Config
from pipeline_lib.induction.ablation import joint_ablation, open_subjects
from pipeline_lib.induction.ablation import sweep_heads as ablated
from pipeline_lib.induction.baseline import measure_orders
from pipeline_lib.induction.heads import draw_sequences, measure_heads, write_patterns
from pipeline_lib.induction.sizes import set_sizes
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.odd_one_out.baselines import GridSettings, measure_baselines
from pipeline_lib.odd_one_out.critical import Critical
from pipeline_lib.odd_one_out.paths import PathSettings, run_paths
from pipeline_lib.odd_one_out.study import SweepSettings, run_sweeps
from pipeline_lib.odd_one_out.subspace import SubspaceSettings, run_subspaces
from pipeline_lib.power.baseline import Answers, pair_table
from pipeline_lib.power.prompts import read_pair_prompts
from pipeline_lib.power.stage import run_sweep
from pipeline_lib.power.sweeping import PARTS
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.bernoulli import BernoulliTask
from pipeline_lib.stimuli.odd_one_out import Formats
from pipeline_lib.stimuli.people import read_people
from pipeline_lib.stimuli.power import read_pairs
from pipeline_lib.stimuli.sequences import order_table, pairs_of
from tests.flops import counted

Found = Mapping[str, int]


def bayes(config: Config, model: LanguageModel, data: Path) -> Found:
    study = config.bayes
    task = BernoulliTask.of(**study.params("probabilities", "priors", "outcomes", "draws"))
    seed = {"seed": study.seed}
    probing = ProbeSettings(**study.probe.model_dump(), **seed)
    heads = {name: value for name, value in study.heads.model_dump().items() if name != "top"}
    steering = SteeringSettings(
        study.steering.prompts, study.steering.changes, study.steering.random_directions, study.seed
    )
    asked = {"templates": study.templates, "permutations": study.permutations}
    best = read_best_probe(data / "probe.h5")
    with patch.multiple(probe, norm_gradient=_no_gradient):
        probed = counted(probe_beliefs, model, task, probing)
    with patch.multiple(steering_room, norm_gradient=_no_gradient):
        steered = counted(steer, model, task, best, probing, steering)
    return {
        "bayes_answers": counted(answer, model, task, **asked, **seed),
        "bayes_probe": probed,
        "bayes_heads": counted(sweep_heads, model, task, HeadSettings(**heads, **seed)),
        "bayes_steering": steered,
    }


def _no_gradient(model, resid, direction):
    """In the place of a gradient of the norm alone, which torch cannot count: no product in it."""
    return resid.double()


def induction(config: Config, model: LanguageModel, data: Path) -> Found:
    study, bos = config.induction, {"prepend_bos": config.induction.prepend_bos}
    pairs = pairs_of(study.symbols, study.other_symbols)
    rng = generator(study.seed, "order_drift", "orders")
    orders = order_table([tuple(both) for both in study.counts], study.max_orders, rng)
    drawn = (study.sequences, study.repeated_tokens)

    def heads() -> None:
        sequences = draw_sequences(model, *drawn, **bos, seed=study.seed)
        measure_heads(model, sequences, study.seed)
        path = data / "counted.h5"
        write_patterns(str(path), model, sequences, study.symbols, **bos, provenance={})
        path.unlink()

    def ablate() -> None:
        subjects = open_subjects(model, pairs, **bos)
        sizes = set_sizes(model.n_layers * model.n_heads, study.set_sizes)
        sweep = ablated(subjects, 0.0, study.seed)
        joint_ablation(subjects, sweep, sizes, study.random_sets, study.seed)

    return {
        "order_drift": counted(measure_orders, model, orders, pairs, **bos, seed=study.seed),
        "induction_heads": counted(heads),
        "ablate_orders": counted(ablate),
    }


def odd_one_out(config: Config, model: LanguageModel, data: Path) -> Found:
    study, seed = config.odd_one_out, {"seed": config.odd_one_out.seed}
    people, formats = read_people(), Formats(**study.params("formats")["formats"])
    table = store.read_table(data / "baselines" / "pairs.csv")
    choice = store.read_json(data / "baselines" / "choice.json")
    critical = Critical.of(store.read_json(data / "sweeps" / "critical.json"))
    chosen = study.model_dump(include={"grid", "sweep", "paths", "subspace"})
    asked = {"tasks": study.tasks, "settings": GridSettings(**chosen["grid"], **seed)}
    examples = study.params("examples")["examples"]
    paths = PathSettings(**chosen["paths"], **seed)
    subspace = SubspaceSettings(**chosen["subspace"], **seed)
    given = (table, people, formats, choice, critical, subspace)
    sweep = SweepSettings(**chosen["sweep"], **seed)
    return {
        "odd_one_out_baselines": counted(
            measure_baselines, model, people, formats, examples, **asked
        ),
        "odd_one_out_sweeps": counted(run_sweeps, model, table, choice, sweep),
        "odd_one_out_paths": counted(run_paths, model, table, choice, critical, paths),
        "odd_one_out_subspace": counted(run_subspaces, model, *given),
    }


def power(config: Config, model: LanguageModel, data: Path) -> Found:
    study = config.power
    pairs = read_pairs(data.parents[2] / study.pairs)
    variants = (study.true_variants, study.false_variants)
    answers = Answers.of(model, *variants)
    prompts = read_pair_prompts(model.tokenizer, pairs, study.question)
    status = {"alignment": study.alignment, "swept": study.swept}
    tables = [store.read_table(data / f"{name}.csv") for name in ("pairs", "tokens")]
    asked = {"question": study.question, "seed": study.seed, "shown": study.shown_pair}
    asked |= {"true_variants": variants[0], "false_variants": variants[1], "noise": 0.0}
    return {
        "power_pairs": counted(pair_table, model, pairs, prompts, answers, status),
        "power_sweep": sum(
            counted(
                run_sweep, model, *tables, part=part, n_pairs=getattr(study.n_pairs, part), **asked
            )
            for part in PARTS
        ),
    }


COUNTED: dict[str, Callable[..., Found]] = {
    "bayes": bayes, "induction": induction, "odd_one_out": odd_one_out, "power": power,
}  # fmt: skip
