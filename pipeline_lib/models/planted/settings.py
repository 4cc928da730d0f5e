"""What can be chosen about the planted network, and its fixed sizes."""

from dataclasses import dataclass

from pipeline_lib.errors import ConfigError

MAX_OPERAND = 40
"""Operands are smaller than this number; the network cannot tell larger ones apart."""
MAX_NUMBER = 149
"""Numbers 0 to this one are one token each."""
N_LAYERS, N_HEADS, D_HEAD, D_MODEL = 3, 4, 64, 512
OPERATOR_LAYER = LOOKUP_LAYER = 1
HEURISTICS_LAYER = 2
"""The layer whose neurons are the planted heuristics; the one below looks up their features."""
MAX_DECOYS = 64


@dataclass(frozen=True)
class PlantedSettings:
    """What makes the network harder to read. Raises ConfigError for values out of range."""

    noise: float = 0.0
    """Deviation of the noise on the map of every late neuron, relative to the map's own."""
    superposition: float = 0.0
    """Share of the dimensions taken from the features that late neurons read."""
    decoys: int = 12
    """Late neurons of each operator that implement no heuristic; with 0, no decoy heads either."""
    seed: int = 42
    """Seed of decoys, noise, feature directions and the places of the neurons."""

    def __post_init__(self) -> None:
        wrong = {
            "noise": not 0 <= self.noise <= 100,
            "superposition": not 0 <= self.superposition <= 0.95,
            "decoys": not 0 <= self.decoys <= MAX_DECOYS,
        }
        values = {name: getattr(self, name) for name, is_wrong in wrong.items() if is_wrong}
        if values:
            raise ConfigError(
                "These settings of the planted network are out of range.",
                where="PlantedSettings",
                value=values,
                hint="noise 0 to 100, superposition 0 to 0.95, decoys 0 to 64",
            )
