"""Memory of a process that computes on a CPU: freed blocks are kept and used again."""

import ctypes
import sys
from functools import cache

# Names and numbers of glibc's malloc.h
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEPT_BYTES = 2**30


@cache
def keep_freed_memory() -> bool:
    """Let the C library keep up to a GiB that was freed; False where it offers no such thing.

    A pass over a model allocates and frees the same tensors again and again. glibc returns large
    blocks to the system each time, and the page faults of getting them back cost a fifth of the
    time of patching a small model.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(mallopt(name, KEPT_BYTES) == 1 for name in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD))
