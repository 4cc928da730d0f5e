"""How many heads are ablated together; the plan asks too, and needs no torch for it."""

import numpy as np


def set_sizes(n_heads: int, most: int) -> list[int]:
    """Values of k from 0 to ``n_heads``: all of them where these are no more than ``most``.

    Else ``most`` at the most: every one up to half of these, then ever wider apart.
    """
    if n_heads < most:
        return list(range(n_heads + 1))
    dense = most // 2
    wide = np.geomspace(max(1, dense), n_heads, most - dense + 1)[1:].round()
    return sorted({*range(dense), *(int(k) for k in wide)})
