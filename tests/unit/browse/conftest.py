"""The small study of the figures, attention and OV artifacts for it, and reading of pages."""

import base64
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline_lib import store
from pipeline_lib.browse import attention, effects, neurons, ov
from pipeline_lib.browse.page import Page, write_page
from pipeline_lib.measures.attention import SOURCES
from tests.unit.figures.conftest import OPERATORS, study

__all__ = ["study"]

MODEL = 'tiny <b>&"arith"'
SIZE = 6  # operands of the attention pictures, numbers of the OV maps
N_LAYERS, N_HEADS = 2, 3
PROVENANCE = {"model": "tiny", "params": {"code": "c0de" * 4, "ov_source": "embedding"}}


def attention_of() -> np.ndarray:
    """Attention [operator, layer, head, source, a, b]; rows over sources sum to 1."""
    rng = np.random.default_rng(0)
    weights = rng.random((len(OPERATORS), N_LAYERS, N_HEADS, len(SOURCES), SIZE, SIZE))
    return (weights / weights.sum(axis=3, keepdims=True)).astype(np.float16)


def ov_of() -> np.ndarray:
    """Logits [layer, head, from, to]; L1H2 copies: its diagonal is the largest."""
    logits = np.random.default_rng(1).normal(size=(N_LAYERS, N_HEADS, SIZE, SIZE))
    logits[1, 2] = -(logits[1, 2] ** 2) + 9 * np.eye(SIZE)
    return logits.astype(np.float16)


@pytest.fixture
def artifacts(study: Callable[..., list[str]], tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Inputs of every page, by its name."""
    numbers = np.arange(SIZE)
    heads = {"layer": np.arange(N_LAYERS), "head": np.arange(N_HEADS)}
    pictures, maps = str(tmp_path / "pictures.h5"), str(tmp_path / "ov.h5")
    store.write_artifact(
        pictures,
        "attention_pictures",
        {"attention": store.Array(attention_of(), (*"oLHsab",))},
        coords={"operator": OPERATORS, **heads, "source": SOURCES, "a": numbers, "b": numbers},
        provenance=PROVENANCE,
    )
    store.write_artifact(
        maps,
        "ov_maps",
        {"logits": store.Array(ov_of(), (*"LHft",))},
        coords={**heads, "from": numbers, "to": numbers},
        provenance=PROVENANCE,
    )
    return {
        "effects": {"effects": study("effects")},
        "attention": {"pictures": pictures},
        "ov": {"ov": maps},
        "neurons": {name: study(name) for name in ("maps", "neurons", "matches")},
    }


MODULES = {"effects": effects, "attention": attention, "ov": ov, "neurons": neurons}


@pytest.fixture
def make(artifacts: dict[str, dict[str, Any]]) -> Callable[..., Page]:
    """Function that makes a page of the study, or of some of its operators."""

    def made(name: str, inputs: dict[str, Any] | None = None, operators: Any = OPERATORS) -> Page:
        return MODULES[name].make(inputs or artifacts[name], operators, {"kind": "hybrid"})

    return made


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Page], Path]:
    """Function that writes a page into the folder of its model and returns its path."""
    folder = tmp_path / "figs" / "browse"

    def written(page: Page) -> Path:
        outputs = {
            "page": str(folder / f"{page.name}.html"),
            "preview": str(tmp_path / "data" / f"{page.name}.json"),
            "data": str(folder / f"{page.name}_data"),
        }
        write_page(page, outputs, model=MODEL, code="f00d" * 4)
        return Path(outputs["page"])

    return written


def page_data(path: Path) -> dict[str, Any]:
    """What the page reads when it opens."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())
    assert found is not None
    return json.loads(found.group(1))


def page_blocks(path: Path) -> dict[str, Any]:
    """The blocks of a page, in it or beside it, by name."""
    texts = [file.read_text() for file in path.parent.glob(f"{path.stem}_data/*.js")]
    pattern = re.compile(r'bagpipe\.block\("(\w+)", (.*)\);\n')
    return {
        name: json.loads(content)
        for text in [path.read_text(), *texts]
        for name, content in pattern.findall(text)
    }


def unpacked(packed: dict[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """Values of a packed picture, NaN for none, as the page's script reads them."""
    codes = decoded(packed["data"], shape).astype(float)
    return np.where(codes > 0, packed["low"] + (codes - 1) * packed["step"], np.nan)


def decoded(text: str, shape: tuple[int, int]) -> np.ndarray:
    """Codes of a packed picture."""
    codes = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8)
    return codes.reshape(shape)
