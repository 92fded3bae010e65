"""A model file may come from anyone: reading it never runs code or exhausts the memory."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nnrun.errors import RunError
from nnrun.models import saved


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as nnrun saves it."""
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(2, activation="relu", kernel_regularizer="l2", name="first"),
            keras.layers.Dense(1, name="last"),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    path = tmp_path_factory.mktemp("good") / "good.keras"
    model.save(path)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file to read."""
    return tmp_path / "a.keras"


def edit_config(source: Path, target: Path, change: Callable[[Any], object]) -> Path:
    """Writes a copy whose configuration is changed in place."""
    with zipfile.ZipFile(source) as archive:
        config = json.loads(archive.read("config.json"))
    change(config)
    return replace_members(source, target, {"config.json": json.dumps(config).encode()})


def replace_members(
    source: Path, target: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED
) -> Path:
    """Writes a copy with other or more members, compressed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", method) as new:
        for name, content in ({name: old.read(name) for name in old.namelist()} | members).items():
            new.writestr(name, content)
    return target


def assert_refused(path: Path, reason: str) -> None:
    with pytest.raises(RunError, match=re.escape(f"{path}: {reason}")):
        saved.read(path)


def test_a_model_is_read_with_its_optimizer(good: Path) -> None:
    model = saved.read(good)

    assert [layer.name for layer in model.layers] == ["first", "last"]
    assert isinstance(model.optimizer, keras.optimizers.Adam)


def test_a_lambda_does_not_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytecode is in the file; Keras runs it when the safe mode is off."""
    monkeypatch.setenv("NNRUN_TEST_CANARY", str(path.with_name("canary-of-save")))
    layer = keras.layers.Lambda(
        lambda x: (
            __import__("os").makedirs(__import__("os").environ["NNRUN_TEST_CANARY"], exist_ok=True),
            x,
        )[1]
    )
    keras.Sequential([keras.Input((3,)), layer]).save(path)
    canary = path.with_name("canary")
    monkeypatch.setenv("NNRUN_TEST_CANARY", str(canary))

    assert_refused(path, "contains a Lambda, and code in a file is never run")
    assert not canary.exists()
    keras.models.load_model(path, safe_mode=False)
    assert canary.exists()


NEVER_RUN = "and code in a file is never run"
CODE: dict[str, tuple[Mapping[str, Any], str]] = {
    "a function of a module": (
        {"module": "os", "class_name": "mkdir", "config": {"path": "canary"}},
        f"contains 'mkdir' of 'os', {NEVER_RUN}",
    ),
    "a module like Keras": (
        {"module": "kerasevil", "class_name": "Dense", "config": {"units": 1}},
        f"contains 'Dense' of 'kerasevil', {NEVER_RUN}",
    ),
    "eval": (
        {"module": "builtins", "class_name": "eval", "config": "1"},
        f"contains 'eval' of 'builtins', {NEVER_RUN}",
    ),
    "a function by name": (
        {"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "exec"},
        "cannot be read: ",
    ),
    "a function of Keras that is no layer": (
        {
            "module": "keras.src.utils.file_utils",
            "class_name": "get_file",
            "config": {"fname": "canary", "origin": "file:///etc/passwd"},
        },
        "cannot be read: ",
    ),
    "a saved graph": (
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "x"}},
        f"contains a TFSMLayer, {NEVER_RUN}",
    ),
    "bytecode": (
        {"class_name": "__lambda__", "config": {"value": "AA=="}},
        f"contains a Lambda, {NEVER_RUN}",
    ),
    "a registered name": (
        {"module": None, "class_name": "Mine", "registered_name": "mine>Mine", "config": {}},
        f"contains 'mine>Mine', which is not Keras's own, {NEVER_RUN}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CODE)
@pytest.mark.parametrize("place", ["layer", "activation", "kernel_initializer", "optimizer"])
def test_code_is_refused_anywhere_in_the_configuration(
    case: str, place: str, good: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    code, reason = CODE[case]

    def change(config: Any) -> None:
        layer = config["config"]["layers"][1]
        if place == "layer":
            layer.update({"registered_name": None, **code})
        elif place == "optimizer":
            config["compile_config"]["optimizer"] = dict(code)
        else:
            layer["config"][place] = dict(code)

    assert_refused(edit_config(good, path, change), reason)
    assert not Path("canary").exists()


@pytest.mark.parametrize(
    "name", ["../canary", "/tmp/canary", "assets/../../canary", "assets\\..\\canary", "canary"]
)
def test_a_member_outside_the_assets_is_refused(name: str, good: Path, path: Path) -> None:
    replace_members(good, path, {name: b"x"})

    with pytest.raises(RunError, match="which is not part of a model"):
        saved.read(path)


@pytest.mark.parametrize("name", ["config.json", "assets/words.txt"])
def test_an_archive_bomb_is_refused(name: str, good: Path, path: Path) -> None:
    replace_members(good, path, {name: b" " * 150_000_000})

    with pytest.raises(RunError, match=r"would unpack to 150,\d{3},\d{3} bytes"):
        saved.read(path)


@pytest.mark.parametrize("units", [10**9, 10**12, 10**400], ids=["1e9", "1e12", "1e400"])
def test_a_model_larger_than_its_file_is_refused(units: int, good: Path, path: Path) -> None:
    """Before a weight is allocated, then or later: Keras keeps a list of weights to allocate."""

    def change(config: Any) -> None:
        config["config"]["layers"][1]["config"]["units"] = units
        del config["config"]["layers"][2]["build_config"]

    with zipfile.ZipFile(good) as archive:
        size = archive.getinfo("model.weights.h5").file_size
    assert_refused(
        edit_config(good, path, change), f"describes more weights than fit into its {size:,} bytes"
    )
    with keras.StatelessScope():
        """Keras allocates them at the end of such a scope."""
    assert saved.read(good)(np.zeros((1, 3))).shape == (1, 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        *((text, "its configuration is not that of a model") for text in (b"[1]", b"1", b"null")),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "is nested too deep for a model"),
    ],
    ids=["list", "number", "null", "deep"],
)
def test_a_configuration_of_no_model_is_refused(
    content: bytes, reason: str, good: Path, path: Path
) -> None:
    assert_refused(replace_members(good, path, {"config.json": content}), reason)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_members_are_refused(method: int, good: Path, path: Path) -> None:
    """Each compression fails with errors of its own."""
    whole = bytearray(replace_members(good, path, {}, method).read_bytes())
    start = whole.find(b"config.json") + 40
    whole[start : start + 60] = b"\xff" * 60
    path.write_bytes(whole)

    assert_refused(path, "cannot be read: ")


def test_an_encrypted_file_is_refused(good: Path, path: Path) -> None:
    whole = bytearray(good.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for match in re.finditer(re.escape(signature), bytes(whole)):
            whole[match.start() + flags] |= 1
    path.write_bytes(whole)

    assert_refused(path, "is encrypted")


def test_a_message_of_keras_is_cut(good: Path, path: Path) -> None:
    """Before its advice to disable the safe mode, and if it repeats the whole file."""

    def read_a_file(config: Any) -> None:
        layer = config["config"]["layers"][1]
        layer.update(class_name="StringLookup", config={"vocabulary": "/etc/passwd"})

    def add_argument(config: Any) -> None:
        config["config"]["layers"][1]["config"] = {"words": "x" * 100_000}

    with pytest.raises(RunError, match=r"outside of the model archive$"):
        saved.read(edit_config(good, path, read_a_file))
    with pytest.raises(RunError) as refusal:
        saved.read(edit_config(good, path, add_argument))
    assert len(str(refusal.value)) < len(str(path)) + 300


class Pickled:
    """Makes a folder as soon as it is read."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("canary",)


def test_a_file_that_is_no_archive_is_refused(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older files of Keras have another format, with other dangers."""
    monkeypatch.chdir(tmp_path)
    whole, h5 = good.read_bytes(), Path("old.h5")
    saved.read(good).save(h5)
    for content in (whole[: len(whole) // 2], b"", pickle.dumps(Pickled()), h5.read_bytes()):
        path = Path("a.keras")
        path.write_bytes(content)
        assert_refused(path, "is not a model saved by Keras, or is incomplete")
    assert not Path("canary").exists()


def test_pipes_folders_and_devices_are_refused_without_waiting(tmp_path: Path, good: Path) -> None:
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "folder.keras").mkdir()
    (tmp_path / "zero.keras").symlink_to("/dev/zero")
    shutil.copy(good, tmp_path / "good.keras")

    for name in ("pipe", "folder", "zero", "missing"):
        assert_refused(tmp_path / f"{name}.keras", "no such file")
    assert saved.read(tmp_path / "good.keras")
