"""What one run's logits say about the answer and about another run (definitions 5)."""

from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor


def normalised_logit(
    logits: Float[Tensor, "*run vocab"], answers: Int64[Tensor, "*run"]
) -> Float64[Tensor, "*run"]:
    """NL: logit of the right answer over the largest logit, both centred over the vocabulary.

    Centring subtracts the mean logit; a ratio of raw logits would change when a constant is added
    to all of them, which changes no probability. 1 where the answer is the most likely token;
    NaN where all logits are equal. Source: paper, equation 2.
    """
    exact = logits.double()
    mean = exact.mean(-1)
    answer = exact.gather(-1, answers[..., None])[..., 0]
    return (answer - mean) / (exact.amax(-1) - mean)


def divergence(
    logits: Float[Tensor, "*run vocab"], reference: Float[Tensor, "*model vocab"]
) -> Float64[Tensor, "*run"]:
    """KL divergence (nats) of the run's next-token probabilities Q from the model's P.

    sum P (log P - log Q), at least 0; shapes broadcast.
    """
    log_p, log_q = (values.double().log_softmax(-1) for values in (reference, logits))
    return (log_p.exp() * (log_p - log_q)).sum(-1).clamp_(min=0)


def is_answered(
    logits: Float[Tensor, "*run vocab"], answers: Int64[Tensor, "*run"]
) -> Bool[Tensor, "*run"]:
    """Whether the most likely token is the answer."""
    return logits.argmax(-1) == answers
