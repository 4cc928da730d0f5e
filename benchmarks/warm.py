"""The arithmetic study at test size with warm starts and without, one after the other.

python -m benchmarks.warm [--runs 3]
"""

import argparse
import os
import tempfile
from pathlib import Path

from benchmarks.machine import timed
from tests.project import copy_project, said, snakemake


def seconds(folder: Path, warm: str) -> float:
    """Wall time of a whole run in a new copy of the project."""
    project = copy_project(folder)
    os.environ["BAGPIPE_WARM"] = warm

    def run() -> None:
        result = snakemake(project)
        if result.returncode:
            raise SystemExit(said(result))

    return timed(run)


def main() -> None:
    """Print the times of every pair of runs and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="pairs of runs")
    runs = parser.parse_args().runs
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        for run in range(runs):
            cold = seconds(Path(name) / f"cold{run}", "off")
            warm = seconds(Path(name) / f"warm{run}", "")
            ratios.append(cold / warm)
            print(f"run {run}: {cold:.0f} s by themselves, {warm:.0f} s warm", flush=True)
    print(f"runs={runs} ratio_min={min(ratios):.2f} ratio_max={max(ratios):.2f}")


if __name__ == "__main__":
    main()
