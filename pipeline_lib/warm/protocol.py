"""What client and server of warm starts say to each other, over a socket in a private folder."""

import json
import os
import socket
import stat
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER_VARIABLE = "BAGPIPE_WARM"
"""Environment: folder of the run's warm starts; "off" or nothing for none."""
MAIN_VARIABLE = "BAGPIPE_MAIN"
"""Environment: process that the run is gone with, as `pid:start`."""
SHARE_VARIABLE = "BAGPIPE_SHARE_MODELS"
"""Environment: "1" where jobs that open a model run in processes that keep it for the next."""
SOCKET, LOCK, COUNT, LOG = "socket", "lock", "cold_jobs", "server.log"
STARTED, REFUSED = b"+", b"-"
STATUS = struct.Struct("!i")
SAME = (
    "CUDA", "GOMP_", "GOTO_", "HDF5_", "HF_", "HUGGINGFACE_", "KMP_", "LD_", "MKL_", "MPL",
    "NUMEXPR_", "NVIDIA_", "OMP_", "OPENBLAS_", "PYTHON", "PYTORCH_", "TOKENIZERS_", "TORCH",
    "TRANSFORMERS_", "VECLIB_",
)  # fmt: skip
"""Variables that begin like this are read when libraries load: a job in which one of them differs
starts by itself."""
_LENGTH = struct.Struct("!I")
_STDIO = (0, 1, 2)


def private(folder: Path) -> bool:
    """Make a folder for this user alone; False where it is there and is not."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError:
        return False
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def loaded_under(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment counts when libraries are loaded (`SAME`)."""
    return {name: value for name, value in environment.items() if name.startswith(SAME)}


def send_request(
    connection: socket.socket, request: Mapping[str, Any], streams: Sequence[int] = _STDIO
) -> None:
    """Send what to run, with three streams, by default this process's own."""
    body = json.dumps(request).encode()
    socket.send_fds(connection, [_LENGTH.pack(len(body))], list(streams))
    connection.sendall(body)


def receive_request(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """What to run, and the three streams; ConnectionError where the other side is gone."""
    head, streams, _, _ = socket.recv_fds(connection, _LENGTH.size, len(_STDIO))
    head += receive(connection, _LENGTH.size - len(head))
    body = receive(connection, _LENGTH.unpack(head)[0])
    return json.loads(body), streams


def receive(connection: socket.socket, size: int) -> bytes:
    """So many bytes; ConnectionError where the other side closes before."""
    found = b""
    while len(found) < size:
        part = connection.recv(size - len(found))
        if not part:
            raise ConnectionError("closed")
        found += part
    return found


def process_name(pid: int) -> str:
    """`pid:start`, which no later process shares; only the number where /proc is missing."""
    return f"{pid}:{_start_of(pid)}"


def is_alive(name: str) -> bool:
    """Whether the process of a name is still there."""
    pid, _, start = name.partition(":")
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _start_of(int(pid)) == start


def _start_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
