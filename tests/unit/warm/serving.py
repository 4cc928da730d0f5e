"""Jobs as Snakemake starts them, and their processes."""

import subprocess
import sys
import time
from pathlib import Path

SERVE = """
import sys
from pathlib import Path
from pipeline_lib.warm.server import Server
Server(Path(sys.argv[1]), sys.argv[2]).serve()
"""


def until(is_so, seconds=20.0):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def job(tmp_path, text) -> list[str]:
    """Command of a job as Snakemake starts it."""
    scripts = tmp_path / ".snakemake" / "scripts"
    scripts.mkdir(parents=True, exist_ok=True)
    script = scripts / f"tmp{len(list(scripts.iterdir()))}.some_rule.py"
    script.write_text(text)
    return [sys.executable, str(script)]


def run(command, environment, **options):
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=60, **options
    )


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
