"""Fingerprints change with the code a script runs, and with nothing else."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline_lib.errors import BagpipeError
from pipeline_lib.figures.catalog import PAGES
from pipeline_lib.fingerprint import explain, fingerprint

ROOT = Path(__file__).parents[2]

FILES = {
    "script.py": "from pipeline_lib.rooms.kitchen import cook\nresult = cook(2)\n",
    "pipeline_lib/__init__.py": "def __getattr__(name):\n    raise AttributeError(name)\n",
    "pipeline_lib/errors.py": "class MyError(Exception): ...\n",
    "pipeline_lib/salt.py": "AMOUNT = 1\n",
    "pipeline_lib/cellar.py": "WINE = 1\n",
    "pipeline_lib/rooms/__init__.py": "",
    "pipeline_lib/rooms/kitchen.py": '"""Kitchen."""\nfrom ..salt import AMOUNT\n'
    'from pipeline_lib.errors import MyError\n\n\ndef cook(x):\n    """Cook."""\n'
    "    # slowly\n    return x * AMOUNT\n",
    "pipeline_lib/rooms/attic.py": "DUST = 1\n",
}


class Project:
    def __init__(self, folder):
        self.folder = folder
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        # writes within the clock's resolution must not look like the same file
        self.tick = getattr(self, "tick", 10**18) + 10**9
        os.utime(path, ns=(self.tick, self.tick))

    def replace(self, name, old, new):
        text = (self.folder / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    @property
    def fingerprint(self):
        return fingerprint(self.folder / "script.py", root=self.folder)

    @property
    def modules(self):
        names = list(explain(self.folder / "script.py", root=self.folder))
        return [name.removeprefix("pipeline_lib.") for name in names if name != "script"]


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_covers_transitive_and_relative_imports_only(project):
    assert project.modules == ["rooms.kitchen", "salt"]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("pipeline_lib/rooms/kitchen.py", "# slowly", "# at once"),
        ("pipeline_lib/rooms/kitchen.py", '"""Cook."""', '"""Cook well.\n\n    Always."""'),
        ("pipeline_lib/rooms/kitchen.py", '"""Kitchen."""\n', ""),
        ("pipeline_lib/rooms/kitchen.py", "x * AMOUNT", "( x*AMOUNT\n    )"),
        ("pipeline_lib/salt.py", "AMOUNT = 1", "AMOUNT = 1\n'''How much salt.'''"),
        ("pipeline_lib/rooms/kitchen.py", "def cook(x):", "def cook( x ):"),
        ("pipeline_lib/rooms/attic.py", "1", "2"),
        ("pipeline_lib/cellar.py", "1", "2"),
        ("pipeline_lib/errors.py", "...", "pass"),
        ("pipeline_lib/rooms/__init__.py", "", '"""Rooms."""\nfrom .attic import DUST\n'),
        ("script.py", "result", "# a comment\nresult"),
    ],
)
def test_what_does_not_change_the_result_does_not_count(project, name, old, new):
    before = project.fingerprint
    project.replace(name, old, new)
    assert project.fingerprint == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("script.py", "cook(2)", "cook(3)"),
        ("pipeline_lib/rooms/kitchen.py", "x * AMOUNT", "x + AMOUNT"),
        ("pipeline_lib/rooms/kitchen.py", "def cook(x)", "def cook(x, y=1)"),
        ("pipeline_lib/salt.py", "AMOUNT = 1", "AMOUNT = 1.0"),
        ("pipeline_lib/salt.py", "AMOUNT = 1", "AMOUNT = True"),
        ("pipeline_lib/salt.py", "AMOUNT = 1", "AMOUNT = None"),
        ("pipeline_lib/salt.py", "AMOUNT = 1", "AMOUNT = 'a'"),
        ("pipeline_lib/rooms/__init__.py", "", "import math\nmath.tau = 6\n"),
        ("pipeline_lib/rooms/kitchen.py", "from ..salt", "from .attic import DUST\nfrom ..salt"),
    ],
)
def test_a_real_change_counts(project, name, old, new):
    before = project.fingerprint
    project.replace(name, old, new)
    assert project.fingerprint != before
    project.replace(name, new, old) if old else project.write(name, "")
    assert project.fingerprint == before


@pytest.mark.parametrize(
    ("code", "modules"),
    [
        ("import pipeline_lib.salt", ["salt"]),
        ("import pipeline_lib.salt as s", ["salt"]),
        ("from pipeline_lib import salt", ["salt"]),
        ("from pipeline_lib import salt as s, cellar", ["cellar", "salt"]),
        ("import pipeline_lib\nprint(pipeline_lib.salt.AMOUNT)", ["salt"]),
        ("import pipeline_lib as p\nprint(p.rooms.attic.DUST)", ["rooms", "rooms.attic"]),
        ("def f():\n    from pipeline_lib import salt", ["salt"]),
        ("try:\n    import pipeline_lib.salt\nexcept ImportError:\n    pass", ["salt"]),
        ("import sys\nif sys.argv:\n    from pipeline_lib import salt", ["salt"]),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pipeline_lib.salt",
            [],
        ),
        (
            "import typing\nif typing.TYPE_CHECKING:\n    import pipeline_lib.salt\n"
            "else:\n    import pipeline_lib.cellar",
            ["cellar"],
        ),
        ("import importlib\nimportlib.import_module('pipeline_lib.salt')", ["salt"]),
        ("import json, numpy\nfrom os import path", []),
        ("from pipeline_lib.not_there import x", []),
        ("from pipeline_lib.rooms import *", ["rooms", "rooms.attic", "rooms.kitchen", "salt"]),
    ],
)
def test_ways_to_import(project, code, modules):
    project.write("pipeline_lib/rooms/__init__.py", "from math import tau\n\n\ndef door(): ...\n")
    if "*" in code:
        project.write(
            "pipeline_lib/rooms/__init__.py",
            "from .kitchen import cook\nROOMS = 2 + 0\nfrom . import attic\n",
        )
    project.write("script.py", code)
    assert project.modules == modules


class TestFacades:
    """A package __init__ that only offers names: what is used counts, the rest does not."""

    def test_eager(self, project):
        project.write(
            "pipeline_lib/rooms/__init__.py",
            '"""Rooms."""\nfrom pipeline_lib.rooms.attic import DUST\n'
            "from pipeline_lib.rooms.kitchen import cook\n__all__ = ['DUST', 'cook']\n",
        )
        project.write("script.py", "from pipeline_lib.rooms import DUST")
        assert project.modules == ["rooms.attic"]
        project.write("script.py", "from pipeline_lib import rooms\nrooms.cook(1)")
        assert project.modules == ["rooms.kitchen", "salt"]

    def test_lazy(self, project):
        project.write(
            "pipeline_lib/rooms/__init__.py",
            "from importlib import import_module\nfrom typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    from pipeline_lib.rooms.kitchen import cook\n"
            "def __getattr__(name):\n    return import_module('x')\n",
        )
        project.write("script.py", "from pipeline_lib.rooms import cook")
        assert project.modules == ["rooms.kitchen", "salt"]

    def test_unknown_name_means_everything(self, project):
        project.write("pipeline_lib/rooms/__init__.py", "def __getattr__(name):\n    return 1\n")
        project.write("script.py", "from pipeline_lib.rooms import cook")
        assert project.modules == ["rooms.attic", "rooms.kitchen", "salt"]


def test_extra_modules_are_covered(project):
    plain = project.fingerprint
    extra = fingerprint(project.folder / "script.py", "pipeline_lib.cellar", root=project.folder)
    assert extra != plain
    assert "pipeline_lib.cellar" in explain(
        project.folder / "script.py", "pipeline_lib.cellar", root=project.folder
    )


class TestDataFiles:
    """Files that are not Python: they count for the modules beside them that name them."""

    @pytest.fixture
    def menu(self, project):
        project.write("pipeline_lib/rooms/menus/menu.html", "<p>soup")
        project.write("pipeline_lib/rooms/menus/wine.html", "<p>red")
        project.replace(
            "pipeline_lib/rooms/kitchen.py", "MyError\n", 'MyError\nMENU = "menu.html"\n'
        )
        return project

    def test_a_named_file_counts(self, menu):
        assert "rooms.kitchen:menus/menu.html" in menu.modules
        before = menu.fingerprint
        menu.write("pipeline_lib/rooms/menus/menu.html", "<p>stew")
        assert menu.fingerprint != before
        menu.write("pipeline_lib/rooms/menus/menu.html", "<p>soup")
        assert menu.fingerprint == before

    def test_a_file_in_the_module_s_own_folder_counts(self, menu):
        before = menu.fingerprint
        menu.write("pipeline_lib/rooms/menu.html", "<p>another")
        assert menu.fingerprint != before

    @pytest.mark.parametrize(
        "name", ["pipeline_lib/rooms/menus/wine.html", "pipeline_lib/menu.html", "menu.html"]
    )
    def test_other_files_do_not(self, menu, name):
        before = menu.fingerprint
        menu.write(name, "<p>white")
        assert menu.fingerprint == before


def test_every_template_of_a_page_counts_for_its_rule():
    """In particular the files that all pages share count for each."""
    shared = {"page.html", "style.css", "common.js"}
    script = ROOT / "workflow" / "scripts" / "build_page.py"
    for page in PAGES:
        parts = explain(script, f"pipeline_lib.browse.{page}", root=ROOT)
        files = {Path(name).name for name in parts if ":" in name}
        assert files == shared | {f"{page}.html", f"{page}.js"}
        assert not any("torch" in name or "artifacts" in name for name in parts)
    parts = explain(ROOT / "workflow" / "scripts" / "take_snapshots.py", root=ROOT)
    assert {"overview.html", "overview.js", "style.css"} <= {Path(name).name for name in parts}


def test_place_and_time_of_the_files_do_not_count(project, tmp_path):
    other = Project(tmp_path / "elsewhere")
    assert other.fingerprint == project.fingerprint
    os.utime(project.folder / "script.py", (1, 1))
    assert other.fingerprint == project.fingerprint


def test_errors_name_the_file(project):
    with pytest.raises(BagpipeError, match="missing"):
        fingerprint(project.folder / "nothing.py", root=project.folder)
    project.write("pipeline_lib/salt.py", "AMOUNT = = 1")
    with pytest.raises(BagpipeError, match=r"salt\.py, line 1"):
        _ = project.fingerprint


def test_scripts_of_the_workflow_are_quick_and_know_their_rooms():
    scripts = sorted((ROOT / "workflow" / "scripts").glob("*.py"))
    assert scripts
    code = (
        "import sys, time; from pathlib import Path; from pipeline_lib.fingerprint import explain\n"
        "start = time.process_time()\n"
        "for s in sys.argv[1:]: explain(Path(s), root=Path('.'))\n"
        "print(time.process_time() - start)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *map(str, scripts)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(run.stdout) < 2  # seconds of processor time; 0.2 on an idle machine
    for script in scripts:
        assert not any(n.startswith("pipeline_lib.config") for n in explain(script, root=ROOT))


def test_importing_the_library_is_light():
    code = "import sys, pipeline_lib; print(len(sys.modules)); print('numpy' in sys.modules)"
    started = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert time.monotonic() - started < 5
    assert run.stdout.split()[1] == "False"


def test_rooms_are_loaded_on_first_use():
    import pipeline_lib

    assert pipeline_lib.errors.BagpipeError is BagpipeError
    assert "stimuli" in dir(pipeline_lib)
    with pytest.raises(AttributeError, match="cellar"):
        _ = pipeline_lib.cellar
