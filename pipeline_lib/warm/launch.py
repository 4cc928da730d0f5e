"""The side of the run: what its jobs find in their environment."""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline_lib.warm.protocol import FOLDER_VARIABLE, MAIN_VARIABLE, SHARE_VARIABLE, process_name

START = Path("workflow/start")


def environment_of_jobs(
    root: Path, environment: Mapping[str, str], *, share_models: bool = False
) -> dict[str, str]:
    """Variables by which jobs find the library, and each other's warm server.

    Every main process has a server of its own, on its own machine. None with ``BAGPIPE_WARM=off``
    in the environment, and none outside Linux. The server's folder goes when this process ends.
    ``share_models``: jobs that open a model run one after the other in processes that keep it; what
    the environment says of it (`SHARE_VARIABLE`) counts more.
    """
    known = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    places = [str(root / START), str(root)]
    paths = os.pathsep.join([*places, *(path for path in known if path not in places)])
    # elsewhere a process that has loaded libraries with threads cannot safely fork
    if environment.get(FOLDER_VARIABLE) == "off" or not sys.platform.startswith("linux"):
        return {"PYTHONPATH": paths}
    main = process_name(os.getpid())
    folder = Path(tempfile.gettempdir()) / f"bagpipe-{os.getuid()}-{main.replace(':', '-')}"
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    ours = {FOLDER_VARIABLE: str(folder), MAIN_VARIABLE: main}
    # jobs on a cluster have the environment of the main process: what is not said must stay unsaid
    if share_models and not environment.get(SHARE_VARIABLE):
        ours[SHARE_VARIABLE] = "1"
    return {"PYTHONPATH": paths, **ours}
