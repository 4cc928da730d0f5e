"""A finished project that the tests of staleness make dry runs of, and put back as it was."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dry_runs import DryRuns


@pytest.fixture(scope="session")
def study(finished_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DryRuns]:
    """A copy of the finished run; whoever changes a file in it has to put it back (`changed`)."""
    folder = tmp_path_factory.mktemp("staleness") / "project"
    shutil.copytree(finished_project, folder, symlinks=True)
    runs = DryRuns(folder.resolve())
    yield runs
    runs.close()
