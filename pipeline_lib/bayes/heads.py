"""Part 3: which heads carry the evidence: patched from a prompt of many X into one of fewer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64
from torch import Tensor

from pipeline_lib.bayes.columns import AGAINST, COST_COLUMNS, NEAR_ZERO, PAIR_COLUMNS, SWEPT
from pipeline_lib.bayes.columns import PROMPTS_OF_A_PAIR as KINDS
from pipeline_lib.bayes.readout import OutcomeTokens
from pipeline_lib.errors import PromptError
from pipeline_lib.interventions import candidate_logits, capture
from pipeline_lib.logs import progress
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.bernoulli import BernoulliTask, draw_sequences
from pipeline_lib.stimuli.text import TextPrompt, read_prompts, token_table
from pipeline_lib.sweeps import Grid, noise_floor, recovery, sweep, sweep_cost, tabulate

STAGE = "bayes_heads"
ALL = "all"


@dataclass(frozen=True)
class HeadSettings:
    """Numbers of X of the clean and the corrupt prompts, numbers of pairs, smallest gap (nats)."""

    clean: int
    corrupt: int
    pairs: int
    position_pairs: int
    min_gap: float
    template: str
    seed: int


@dataclass(frozen=True)
class HeadSweeps:
    """Pairs and what became of each; the sweeps' tables (`sweeps.COLUMNS`) and their costs.

    ``effect`` is the recovery of the log-odds of X against Y. ``heads``: all positions together;
    ``control``: the same, patched from another order of the corrupt prompt's own draws;
    ``positions``: one at a time.
    """

    pairs: pd.DataFrame
    heads: pd.DataFrame
    control: pd.DataFrame
    positions: pd.DataFrame
    costs: pd.DataFrame


def draw_pairs(task: BernoulliTask, settings: HeadSettings) -> pd.DataFrame:
    """Orders of the clean and the corrupt draws, and another order of the corrupt ones.

    No corrupt order is used twice; clean ones recur where there are fewer than pairs.
    """
    rng = generator(settings.seed, STAGE, "sequences")
    clean = draw_sequences(settings.clean, task.draws, settings.pairs, rng)
    corrupt = draw_sequences(settings.corrupt, task.draws, 2 * settings.pairs, rng)
    n = min(settings.pairs, len(corrupt))
    shift = n if len(corrupt) >= 2 * n else 1
    return pd.DataFrame(
        {
            "pair": range(n),
            "clean": [clean[i % len(clean)] for i in range(n)],
            "corrupt": corrupt[:n],
            "other": [corrupt[(i + shift) % len(corrupt)] for i in range(n)],
        }
    )


def encode_pairs(
    model: LanguageModel, task: BernoulliTask, pairs: pd.DataFrame, template: str
) -> tuple[dict[str, Int64[Tensor, "pair token"]], TextPrompt]:
    """Tokens of the prompts of each kind, and the first corrupt prompt.

    Raises PromptError where they are not of one length.
    """
    prompts = {
        kind: read_prompts(model.tokenizer, [task.text(draws, template) for draws in pairs[kind]])
        for kind in KINDS
    }
    lengths = {len(prompt): prompt.text for every in prompts.values() for prompt in every}
    if len(lengths) > 1:
        raise PromptError(
            "Clean and corrupt prompts have different numbers of tokens: they cannot be patched.",
            where=model.tokenizer.name_or_path,
            value="; ".join(f"{n} tokens: {text!r}" for n, text in sorted(lengths.items())[:2]),
            hint="Choose outcomes that the tokenizer writes as equally many tokens each.",
        )
    return {kind: token_table(every) for kind, every in prompts.items()}, prompts["corrupt"][0]


def judge_pairs(
    pairs: pd.DataFrame,
    clean: Float64[np.ndarray, " pair"],
    corrupt: Float64[np.ndarray, " pair"],
    min_gap: float,
    noise: float,
) -> pd.DataFrame:
    """Which pairs the model tells apart as the evidence does (`PAIR_COLUMNS`).

    ``near_zero``: the log-odds differ by no more than the floor, which is ``min_gap`` or the noise;
    ``against``: more X make X less likely. Only the others are swept.
    """
    floor = max(min_gap, noise)
    gap = clean - corrupt
    status = np.where(gap > floor, SWEPT, np.where(gap < -floor, AGAINST, NEAR_ZERO))
    return pairs.assign(
        clean_log_odds=clean,
        corrupt_log_odds=corrupt,
        gap=gap,
        floor=floor,
        noise_floor=noise,
        status=status,
    )[PAIR_COLUMNS]


def sweep_heads(model: LanguageModel, task: BernoulliTask, settings: HeadSettings) -> HeadSweeps:
    """All sweeps over the heads of every layer, on the pairs that the model tells apart."""
    outcomes = OutcomeTokens.measure(model.tokenizer, task.outcomes)
    drawn = draw_pairs(task, settings)
    tokens, shown = encode_pairs(model, task, drawn, settings.template)
    ids = outcomes.table(len(drawn))
    clean, corrupt = (
        outcomes.log_odds(candidate_logits(model, tokens[kind], ids).numpy()) for kind in KINDS[:2]
    )
    noise = noise_floor(model, tokens["corrupt"], ids, outcomes.log_odds)
    pairs = judge_pairs(drawn, clean, corrupt, settings.min_gap, noise)
    rows = np.flatnonzero(pairs["status"] == SWEPT)
    swept = {kind: table[rows] for kind, table in tokens.items()}
    first = first_difference(swept)
    last = tokens["corrupt"].shape[1]
    places = {ALL: list(range(first, last))}
    single = dict(zip(place_names(shown, task, first), range(first, last), strict=True))
    run = _Sweeper(model, outcomes, swept, corrupt[rows], clean[rows], pairs["floor"].iloc[0])
    few = settings.position_pairs
    rng = generator(settings.seed, STAGE, "intervals")
    return HeadSweeps(
        pairs,
        run.table("heads", "clean", places, len(rows), rng),
        run.table("control", "other", places, len(rows), rng),
        run.table("positions", "clean", {n: [p] for n, p in single.items()}, few, rng),
        pd.DataFrame(run.costs, columns=COST_COLUMNS),
    )


def first_difference(tokens: dict[str, Int64[Tensor, "pair token"]]) -> int:
    """First position at which a prompt differs from its pair's corrupt one; else the last."""
    base = tokens["corrupt"]
    differ = (tokens["clean"] != base) | (tokens["other"] != base)
    where = differ.any(0).nonzero()
    return int(where[0]) if len(where) else base.shape[1] - 1


def place_names(prompt: TextPrompt, task: BernoulliTask, first: int) -> list[str]:
    """Names of the tokens from the first on: draws by their number, others as they are written.

    A token that comes again among them gets a number.
    """
    start = prompt.text.rindex(" Sequence: ") + len(" Sequence:")
    end = start + prompt.text[start:].index(".")
    names: list[str] = []
    draws = 0
    for position, (a, b) in enumerate(prompt.offsets):
        text = prompt.text[a:b].strip()
        if start <= a < end and text in task.outcomes:
            draws += 1
            text = f"draw {draws}"
        if position < first:
            continue
        again = sum(name.partition(" #")[0] == text for name in names)
        names.append(f"{text} #{again + 1}" if again else text)
    return names


class _Sweeper:
    """Sweeps on the same pairs; keeps their costs."""

    def __init__(
        self,
        model: LanguageModel,
        outcomes: OutcomeTokens,
        tokens: dict[str, Int64[Tensor, "pair token"]],
        before: Float64[np.ndarray, " pair"],
        wanted: Float64[np.ndarray, " pair"],
        floor: float,
    ) -> None:
        self.model, self.outcomes, self.tokens = model, outcomes, tokens
        self.before, self.wanted, self.floor = before, wanted, floor
        self.costs: list[dict[str, object]] = []

    def table(
        self,
        name: str,
        source: str,
        places: dict[str, list[int]],
        most: int,
        rng: np.random.Generator,
    ) -> pd.DataFrame:
        """Recovery of every head at every place, from the first ``most`` pairs."""
        rows = slice(0, most)
        base = self.tokens["corrupt"][rows]
        grid = self._grid(len(base), list(places.values()))
        after = self._after(name, base, self.tokens[source][rows], grid)
        before, wanted = self.before[rows], self.wanted[rows]
        self.costs.append(
            {
                "sweep": name,
                "pairs": len(base),
                **sweep_cost(grid.patches(), len(base), base.shape[1], self.model.n_layers),
            }
        )
        return tabulate(
            before,
            after,
            recovery(after, before, wanted, self.floor),
            places=list(places),
            layers=grid.layers,
            components=[f"head_{head}" for head in grid.components],
            rng=rng,
        )

    def _grid(self, n: int, places: Sequence[Sequence[int]]) -> Grid:
        layers, heads = range(self.model.n_layers), range(self.model.n_heads)
        if n:
            return Grid.of([places] * n, layers, heads)
        widest = max(map(len, places))
        nothing = np.empty((0, len(places), widest), dtype=np.int64)
        return Grid(nothing, tuple(layers), tuple(heads))

    def _after(
        self,
        name: str,
        base: Int64[Tensor, "pair token"],
        source: Int64[Tensor, "pair token"],
        grid: Grid,
    ) -> Float64[np.ndarray, "pair place layer head"]:
        """Log-odds after every patch, pair by pair."""
        after = np.full(grid.shape, np.nan)
        columns = sorted({int(p) for p in grid.positions.ravel()})
        ids = self.outcomes.table(1)
        for pair in progress(range(len(base)), f"sweep of {name}", unit="pair"):
            values = capture(
                self.model, source[[pair]], ["z"], positions=columns, keep_logits=False
            )
            own = replace(grid, positions=grid.positions[[pair]])
            swept = sweep(self.model, base[[pair]], values, own, ids, skip_known=True)
            after[pair] = self.outcomes.log_odds(swept.after)[0]
        return after
