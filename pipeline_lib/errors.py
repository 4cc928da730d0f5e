"""One exception class per cause; every message names what, where, the value and the fix."""

from typing import Any


class BagpipeError(Exception):
    """Base of all errors a user is meant to read.

    The message is ``what``, then ``Where:``, ``Value:`` and ``Hint:`` lines for the parts given.
    """

    def __init__(self, what: str, *, where: Any = None, value: Any = None, hint: str = "") -> None:
        self.what, self.where, self.value, self.hint = what, where, value, hint
        lines = [what]
        if where is not None:
            lines.append(f"  Where: {where}")
        if value is not None:
            lines.append(f"  Value: {value}")
        if hint:
            lines.append(f"  Hint:  {hint}")
        super().__init__("\n".join(lines))


class ConfigError(BagpipeError):
    """The configuration holds an unknown key, a wrong type or a value out of range."""


class ModelError(BagpipeError):
    """A model cannot be loaded: no weights, unknown architecture, NaN in the weights."""


class TokenizerError(BagpipeError):
    """The tokenizer does not write the study's prompts one number a token."""


class PromptError(BagpipeError):
    """No prompts are left to analyse, or a prompt is outside what the study defines."""


class ActivationError(BagpipeError):
    """Activations or logits hold NaN or infinite values."""


class ArtifactError(BagpipeError):
    """A stored artifact is missing, truncated, damaged, foreign or of another format version."""


class DiskError(BagpipeError):
    """The disk is full or the folder cannot be written."""


class VerificationError(BagpipeError):
    """The patching engine disagrees with an identity or with plain hooks on this model."""
