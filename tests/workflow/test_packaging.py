"""Lock, pyproject and conda environment agree; the Makefile sets up what it says."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import pipeline_lib

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DIRECT = [Requirement(text) for text in PROJECT["dependencies"]]
TESTS = [Requirement(text) for text in PROJECT["optional-dependencies"]["test"]]
LOCK_LINES = [
    line
    for line in (ROOT / "requirements.lock").read_text().splitlines()
    if line[:1] not in ("#", "")
]
LOCK = {canonicalize_name(n): v for n, v in (line.split("==") for line in LOCK_LINES)}
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
# The name under which a distribution is imported, where it is another one.
MODULES = {
    "pyyaml": "yaml",
    "huggingface-hub": "huggingface_hub",
    "transformer-lens": "transformer_lens",
}
WITH_THEIR_PARENT = {"pydantic_core": "pydantic"}


def test_lock_is_exact_and_names_no_place():
    for line in LOCK_LINES:
        assert re.fullmatch(r"[a-z0-9._-]+==[0-9][0-9a-z.]*", line), line
    assert "torch==2.13.0" in LOCK_LINES
    assert "://" not in "".join(LOCK_LINES)
    assert len(LOCK) == len(LOCK_LINES)


@pytest.mark.parametrize("requirement", [*DIRECT, *TESTS], ids=str)
def test_lock_fulfils_pyproject(requirement):
    assert requirement.specifier.contains(LOCK[canonicalize_name(requirement.name)])


def test_conda_environment_has_the_direct_dependencies_of_the_lock():
    pins = next(item["pip"] for item in CONDA["dependencies"] if isinstance(item, dict))
    direct = {canonicalize_name(requirement.name) for requirement in [*DIRECT, *TESTS]}
    assert dict(pin.split("==") for pin in pins) == {name: LOCK[name] for name in direct}


def test_python_versions_agree():
    conda = next(item for item in CONDA["dependencies"] if str(item).startswith("python "))
    version = conda.split("=")[1]
    allowed = Requirement(f"python{PROJECT['requires-python']}").specifier
    assert allowed.contains(f"{version}.0")
    assert all(allowed.contains(f"3.{minor}.0") for minor in (11, 12, 13))
    assert not allowed.contains("3.14.0")


def test_installed_environment_is_the_lock_s_where_it_is_direct():
    """Tests say something about the locked versions only when these are what is installed."""
    from importlib.metadata import version

    different = {
        name: version(name).split("+")[0]
        for name in (requirement.name for requirement in [*DIRECT, *TESTS])
        if version(name).split("+")[0] != LOCK[canonicalize_name(name)]
    }
    assert different == {}


def test_every_import_is_declared():
    """What the library and the scripts import is a direct dependency."""
    files = [*ROOT.glob("pipeline_lib/**/*.py"), *ROOT.glob("workflow/scripts/*.py")]
    imported = {
        name.split(".")[0]
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }
    imported = {WITH_THEIR_PARENT.get(name, name) for name in imported}
    declared = {MODULES.get(canonicalize_name(r.name), r.name) for r in DIRECT}
    assert imported - declared - {"pipeline_lib"} - sys.stdlib_module_names == set()


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PROJECT["version"] == pipeline_lib.__version__ == citation["version"]
    assert "2410.21272" in citation["references"][0]["url"]


def test_changelog_starts_with_what_is_unreleased():
    headings = re.findall(r"^## (.*)", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    assert headings[0].strip("[]") == "Unreleased"


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("data/arithmetic/tiny-arith/prompts/add.csv", True),
        ("data/models/tiny-arith/model.safetensors", False),
        ("data/models/tiny-arith@step65/model.safetensors", False),
        ("data/models/tiny-induction/model.safetensors", False),
        ("data/models/tiny-induction/manifest.json", True),
        ("data/models/tiny-arith/manifest.json", True),
        ("data/models/tiny-arith@step65/manifest.json", True),
        ("data/models/llama3-8b/model.safetensors", True),
        ("figs/report.html", True),
        ("logs/x.log", True),
        (".venv/bin/python", True),
        (".snakemake/log/x", True),
        ("pipeline_lib/models/manifest.py", False),
        ("tests/reference/data/a.npz", False),
    ],
)
def test_gitignore(path, ignored, tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    run = subprocess.run(["git", "-C", tmp_path, "check-ignore", "-q", path], check=False)
    assert (run.returncode == 0) == ignored


def make(folder, *arguments):
    return subprocess.run(
        ["make", "-C", folder, *arguments], capture_output=True, text=True, check=False
    )


FAKE_PYTHON = """#!/bin/sh
case "$1 $2" in
  "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-m pip") echo installing; ! grep -q broken requirements.lock ;;
  *) exec {python} "$@" ;;
esac
"""


class TestMakefile:
    """With an interpreter that only pretends to make environments; the real one takes minutes."""

    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
        (tmp_path / "requirements.lock").write_text("# nothing\n")
        python = tmp_path / "fake-python"
        python.write_text(FAKE_PYTHON.format(python=sys.executable))
        python.chmod(0o755)
        return tmp_path

    def test_help_is_the_default_and_lists_the_targets(self, folder):
        run = make(folder)
        assert run.returncode == 0
        for target in ("figures", "test", "lint", "clean-venv"):
            assert f"make {target}" in run.stdout

    def test_environment_is_made_once_and_again_when_the_lock_changes(self, folder):
        first = make(folder, "setup", "PYTHON=./fake-python")
        assert first.returncode == 0, first.stderr
        assert "installing" in first.stdout
        assert "installing" not in make(folder, "setup").stdout
        stamp = (folder / ".venv" / ".installed").stat()
        os.utime(folder / "requirements.lock", (stamp.st_atime, stamp.st_mtime + 1))
        assert "installing" in make(folder, "setup", "PYTHON=./fake-python").stdout

    def test_failed_installation_is_an_error_and_is_tried_again(self, folder):
        (folder / "requirements.lock").write_text("broken\n")
        for _ in range(2):
            run = make(folder, "figures", "PYTHON=./fake-python")
            assert run.returncode != 0
            assert "installing" in run.stdout

    def test_unsuitable_python_is_refused(self, folder):
        run = make(folder, "test", "PYTHON=/bin/false")
        assert run.returncode != 0
        assert "is not Python 3.11 to 3.13" in run.stderr
        assert not (folder / ".venv").exists()

    @pytest.mark.parametrize(("cores", "workers"), [("1", "1"), ("3", "3"), ("64", "4")])
    def test_cores_reach_snakemake_and_pytest(self, folder, cores, workers):
        assert f"--cores {cores}" in make(folder, "-n", "figures", f"CORES={cores}").stdout
        assert f"-n {workers} " in make(folder, "-n", "test", f"CORES={cores}").stdout
