"""How well a circuit does the whole model's task (paper equation 2; definitions 5)."""

import numpy as np
from jaxtyping import Float64, Int

Values = Float64[np.ndarray, "..."]


def faithfulness(circuit: Values, nothing: Values, model: Values) -> Values:
    """F = (NL(circuit) - NL(none)) / (NL(model) - NL(none)), of every prompt (paper, equation 2).

    ``nothing`` has everything ablated. 1 for the model, 0 for nothing; neither is a bound. NaN
    where the two do not differ: the ablated model happens to give this answer to every prompt.
    Shapes broadcast.
    """
    gained, all_of_it = np.broadcast_arrays(circuit - nothing, model - nothing)
    return np.divide(
        gained, all_of_it, out=np.full(gained.shape, np.nan), where=np.abs(all_of_it) > 0
    )


def ratio_of_means(
    circuit: Float64[np.ndarray, "prompt *cell"],
    nothing: Float64[np.ndarray, " prompt"],
    model: Float64[np.ndarray, " prompt"],
) -> Values:
    """F of the mean NLs over prompts instead of the mean F: no single prompt can outweigh others.

    NaN without prompts.
    """
    if not len(circuit):
        return np.full(circuit.shape[1:], np.nan)
    means = (np.asarray(values.mean(axis=0)) for values in (circuit, nothing, model))
    return faithfulness(*means)


def curve_areas(
    sizes: Int[np.ndarray, " size"], curve: Float64[np.ndarray, "*cell size"]
) -> tuple[Values, Values]:
    """CPR and CMD of curves f over circuit size: integrals of f and of |1 - f|.

    Integrated by the trapezoidal rule over x = (size - smallest) / (largest - smallest), linear in
    size whatever the spacing of the sizes (ascending). So both are means over the sizes tried: 1
    and 0 for circuits that do all the model does. NaN for less than two sizes.
    """
    if len(sizes) < 2:
        missing = np.full(curve.shape[:-1], np.nan)
        return missing, missing
    share = (sizes - sizes[0]) / (sizes[-1] - sizes[0])
    cpr, cmd = (np.trapezoid(values, share) for values in (curve, np.abs(1 - curve)))
    return np.asarray(cpr), np.asarray(cmd)
