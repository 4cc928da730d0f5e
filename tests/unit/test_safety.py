"""Nothing that is read can run code, and paths lead where they seem to lead."""

import ast
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_lib import store
from pipeline_lib.__main__ import main
from pipeline_lib.config import load_config, read_yaml, refuse_templates
from pipeline_lib.errors import BagpipeError, ConfigError, ModelError, TokenizerError
from pipeline_lib.models.architectures import read_model_shape
from pipeline_lib.models.loading import load_model
from pipeline_lib.models.manifest import (
    check_same_weights,
    check_small_files,
    describe_model,
)
from pipeline_lib.models.opening import open_model
from pipeline_lib.preflight import check_workspace
from tests.project import ROOT

PRESETS = ROOT / "config" / "presets"
RUNS_CODE = {
    "pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "eval", "exec",
    "read_pickle", "to_pickle", "unsafe_load", "full_load", "load_all", "UnsafeLoader",
    "FullLoader", "torch.load", "torch.save",
}  # fmt: skip
SAFE = {"allow_pickle": False, "trust_remote_code": False, "use_safetensors": True}
"""Arguments that may be given one value alone."""
TAUGHT = {"numpy.load": "allow_pickle", "np.load": "allow_pickle", "yaml.load": "Loader"}
"""Calls that are safe with an argument alone."""


def python_files() -> Iterator[Path]:
    """The library, the scripts, and the rules' Python as far as it stands in files of its own."""
    for folder in ("pipeline_lib", "workflow/scripts", "benchmarks", "docs"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def dangers(source: str) -> Iterator[str]:
    """What in a source may run code that is read: names, calls and arguments."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            names = [called, called.split(".")[-1]]
            # model.eval() sets a mode and takes nothing
            names = [n for n in names if n != "eval" or called == "eval"]
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            if called in TAUGHT and TAUGHT[called] not in given:
                yield f"{called} without {TAUGHT[called]}"
            for name, value in SAFE.items():
                if name in given and ast.unparse(given[name]) != str(value):
                    yield f"{name}={ast.unparse(given[name])}"
        yield from (name for name in names if name in RUNS_CODE)


def test_no_code_reads_pickles_or_runs_what_it_reads():
    files = list(python_files())
    assert len(files) > 300
    found = {str(path): list(dangers(path.read_text(encoding="utf-8"))) for path in files}
    assert {path: what for path, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import torch; torch.load('x')",
        "import numpy as np; np.load('x')",
        "import numpy as np; np.load('x', allow_pickle=True)",
        "import yaml; yaml.load(x)",
        "import pandas; pandas.read_pickle('x')",
        "eval('1')",
        "AutoTokenizer.from_pretrained('x', trust_remote_code=True)",
        "AutoModel.from_pretrained('x', use_safetensors=False)",
    ],
)
def test_the_search_for_dangers_finds_them(source):
    assert list(dangers(source))


def test_every_load_of_transformers_says_that_no_remote_code_runs():
    """From folders; a GGUF file holds no code, and its folder is one that was made for it."""
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".from_pretrained"):
                given = {keyword.arg for keyword in node.keywords}
                assert given & {"trust_remote_code", "gguf_file"}, f"{path}: {ast.unparse(node)}"


def test_rules_run_no_code_that_is_read():
    words = re.compile(r"\b(pickle|eval|exec|torch\.load|trust_remote_code|yaml\.load)\b")
    rules = [ROOT / "Snakefile", *sorted((ROOT / "workflow").rglob("*.smk"))]
    assert len(rules) > 40
    assert [str(path) for path in rules if words.search(path.read_text())] == []


def test_object_arrays_of_artifacts_are_text_alone(tmp_path):
    """HDF5 has no pickles; h5py refuses objects that are no text."""
    with pytest.raises(TypeError):
        store.write_artifact(tmp_path / "a.h5", "x", {}, coords={"name": [{"a": 1}]}, provenance={})
    assert list(tmp_path.iterdir()) == []


CODE = "import pathlib\npathlib.Path({marker!r}).write_text('ran')\nclass {name}:\n    pass\n"


@pytest.mark.parametrize("kind", ["llama", "made_up"])
def test_code_beside_a_model_never_runs(model_folder, tmp_path, kind):
    """config.json and tokenizer_config.json may name Python files; transformers would run them."""
    folder, marker = tmp_path / "model", tmp_path / "marker"
    shutil.copytree(model_folder("llama"), folder)
    names = {"AutoConfig": "C", "AutoModelForCausalLM": "M", "AutoTokenizer": ["T", "T"]}
    for name in "CMT":
        (folder / f"evil{name}.py").write_text(CODE.format(marker=str(marker), name=name))
    named = {
        key: [f"evil{part}.{part}" for part in value] if isinstance(value, list)
        else f"evil{value}.{value}"
        for key, value in names.items()
    }  # fmt: skip
    for file in ("config.json", "tokenizer_config.json"):
        content = json.loads((folder / file).read_text())
        content |= {"auto_map": named, "model_type": kind}
        (folder / file).write_text(json.dumps(content))
    try:
        loaded = load_model(folder)
        assert type(loaded.hf).__module__.startswith("transformers.")
        assert type(loaded.tokenizer).__module__.startswith("transformers.")
        assert kind == "llama"
    except (ModelError, TokenizerError):
        assert kind == "made_up"
    assert not marker.exists()


@pytest.mark.parametrize("where", ["models", "model", "top"])
def test_trust_remote_code_is_no_key(where):
    model = {"source": "local", "path": "data/models/m"}
    raw: dict = {"models": {"m": model}, "arithmetic": {"models": ["m"]}}
    {"models": raw["models"], "model": model, "top": raw}[where]["trust_remote_code"] = True
    with pytest.raises(ConfigError, match="trust_remote_code"):
        load_config(raw, presets=PRESETS)


@pytest.mark.parametrize(
    "text",
    [
        'a: !!python/object/apply:os.system ["touch MARKER"]',
        "a: !!python/name:os.system",
        "a: !!python/tuple [1, 2]",
    ],
)
def test_yaml_that_names_python_is_refused(tmp_path, text, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(text)
    assert main(["config", "--configfile", "c.yaml"]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert not Path("MARKER").exists()


def test_a_template_that_snakemake_would_run_is_refused_and_looked_at_safely(tmp_path, capsys):
    file, marker = tmp_path / "c.yaml", tmp_path / "marker"
    file.write_text(
        f"__use_yte__: true\n__variables__:\n  x: ?open({str(marker)!r}, 'w').write('ran')\n"
    )
    with pytest.raises(ConfigError, match=r"run the code in it[\s\S]*__use_yte__"):
        refuse_templates([ROOT / "config" / "config.yaml", file])
    assert main(["config", "--configfile", str(file)]) == 1
    assert "__use_yte__" in capsys.readouterr().err
    assert not marker.exists()


def test_configurations_without_end_are_refused_at_once(tmp_path):
    (tmp_path / "self.yaml").write_text("a: &a {b: *a}\n")
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    (tmp_path / "billion.yaml").write_text("\n".join(lines))
    for name in ("self", "billion"):
        with pytest.raises(ConfigError, match="holds itself, or too many values"):
            read_yaml(tmp_path / f"{name}.yaml")
    endless: dict = {}
    endless["models"] = endless
    with pytest.raises(ConfigError, match="holds itself"):
        load_config(endless, presets=PRESETS)


@pytest.fixture
def workspace(tmp_path):
    """A project with a model, and a folder beside it."""
    shutil.copytree(ROOT / "data/models/tiny-arith", tmp_path / "project/data/models/m")
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "project"


def config(path: str, **model: object):
    raw = {"models": {"m": {"source": "local", "path": path, **model}}}
    return load_config({**raw, "arithmetic": {"models": ["m"]}}, presets=PRESETS)


def test_a_link_out_of_the_project_has_to_be_allowed(workspace):
    shutil.move(workspace / "data/models/m", workspace.parent / "elsewhere/m")
    (workspace / "data/models/m").symlink_to(workspace.parent / "elsewhere/m")
    with pytest.raises(ConfigError, match=r"link leads out[\s\S]*models.m.path"):
        check_workspace(config("data/models/m"), workspace)
    check_workspace(config("data/models/m", outside_project=True), workspace)


def test_data_may_lie_on_another_disk(workspace):
    shutil.move(workspace / "data", workspace.parent / "elsewhere/data")
    (workspace / "data").symlink_to(workspace.parent / "elsewhere/data")
    check_workspace(config("data/models/m"), workspace)


@pytest.mark.parametrize("path", ["/etc/passwd", "../people.csv", "~/people.csv", "a/../../b"])
def test_the_table_of_people_stays_in_the_project(path):
    raw = {"models": {}, "arithmetic": {"models": [], "enabled": False}}
    raw["models"] = {"m": {"source": "local", "path": "data/models/m"}}
    raw["arithmetic"] = {"models": ["m"]}
    with pytest.raises(ConfigError, match=r"people[\s\S]*outside_project: true"):
        load_config({**raw, "odd_one_out": {"people": path}}, presets=PRESETS)
    allowed = {"people": path, "outside_project": True}
    assert load_config({**raw, "odd_one_out": allowed}, presets=PRESETS).odd_one_out.people == path


def test_a_second_download_with_other_weights_is_refused(model_folder, tmp_path):
    folder, source = tmp_path / "m", {"source": "hub", "repo": "a/b", "revision": "v1"}
    shutil.copytree(model_folder("gpt2"), folder)
    check_same_weights(folder, source)  # the first: there is nothing to compare with
    store.write_json(folder / "manifest.json", describe_model(folder, "m", source))
    check_same_weights(folder, source)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"not what came under this name[\s\S]*manifest.json"):
        check_same_weights(folder, source)
    check_same_weights(folder, {**source, "revision": "v2"})


def test_a_model_that_changed_since_its_manifest_is_not_loaded(model_folder, tmp_path):
    folder = tmp_path / "m"
    shutil.copytree(model_folder("gpt2"), folder)
    described = describe_model(folder, "m", {"source": "local"})
    store.write_json(tmp_path / "manifest.json", described)
    check_small_files(described)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"not the one its manifest describes[\s\S]*forcerun"):
        open_model(tmp_path / "manifest.json", dtype="float32", device_map="cpu")


@pytest.mark.parametrize(
    "change", [{"n_head": "4"}, {"n_head": 0}, {"n_embd": None}, {"n_layer": -1}]
)
def test_sizes_that_are_none_are_told(model_folder, tmp_path, change):
    folder = tmp_path / "m"
    shutil.copytree(model_folder("gpt2"), folder)
    content = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(BagpipeError, match="no sizes where sizes belong"):
        read_model_shape(folder)
