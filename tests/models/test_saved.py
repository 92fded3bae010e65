"""A model file may be anybody's: a model is read, and nothing else happens."""

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

ARMED = "NNRUN_TEST_ARMED"


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
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is there as soon as any code has run."""
    monkeypatch.setenv(ARMED, str(tmp_path))
    return tmp_path / "canary"


def rewritten(
    source: Path, target: Path, change: Callable[[Any], Any] = lambda config: config
) -> Path:
    """A copy with another configuration."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                content = json.dumps(change(json.loads(content))).encode()
            new.writestr(name, content)
    return target


def with_members(source: Path, target: Path, **members: bytes) -> Path:
    """A copy with other or more members, packed."""
    with (
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name, content in ({name: old.read(name) for name in old.namelist()} | members).items():
            new.writestr(name, content)
    return target


def assert_refused(path: Path, reason: str) -> None:
    with pytest.raises(RunError, match=re.escape(f"{path}: {reason}")):
        saved.read(path)


def test_a_model_is_read_with_what_it_was_compiled_with(good: Path) -> None:
    model = saved.read(good)

    assert [layer.name for layer in model.layers] == ["first", "last"]
    assert isinstance(model.optimizer, keras.optimizers.Adam)


def test_a_lambda_does_not_run(
    canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytecode stands in the file; Keras runs it as soon as one switches its caution off."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv(ARMED, str(elsewhere))
    path = tmp_path / "lambda.keras"
    lambda_layer = keras.layers.Lambda(
        lambda x: (
            __import__("os").makedirs(
                __import__("os").environ["NNRUN_TEST_ARMED"] + "/canary", exist_ok=True
            ),
            x,
        )[1]
    )
    keras.Sequential([keras.Input((3,)), lambda_layer]).save(path)
    monkeypatch.setenv(ARMED, str(tmp_path))

    assert_refused(path, "contains a Lambda, and code in a file is never run")
    assert not canary.exists()
    keras.models.load_model(path, safe_mode=False)
    assert canary.exists()


CODE: dict[str, tuple[Mapping[str, Any], str]] = {
    "a function of a module": (
        {"module": "os", "class_name": "mkdir", "config": {"path": "canary"}},
        "contains 'mkdir' of 'os', and code in a file is never run",
    ),
    "a module of a person's own": (
        {"module": "evil.layers", "class_name": "Layer", "config": {}},
        "contains 'Layer' of 'evil.layers', and code in a file is never run",
    ),
    "a name like Keras's": (
        {"module": "kerasevil", "class_name": "Dense", "config": {"units": 1}},
        "contains 'Dense' of 'kerasevil', and code in a file is never run",
    ),
    "eval": (
        {"module": "builtins", "class_name": "eval", "config": "1"},
        "contains 'eval' of 'builtins', and code in a file is never run",
    ),
    "a function by name": (
        {"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "exec"},
        "cannot be read: ",
    ),
    "a function of Keras's that is no layer": (
        {
            "module": "keras.src.utils.file_utils",
            "class_name": "get_file",
            "config": {"fname": "canary", "origin": "file:///etc/passwd"},
        },
        "cannot be read: ",
    ),
    "a saved graph": (
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "x"}},
        "contains a TFSMLayer, and code in a file is never run",
    ),
    "bytecode": (
        {"class_name": "__lambda__", "config": {"value": "AA=="}},
        "contains a Lambda, and code in a file is never run",
    ),
    "a registered name": (
        {"module": None, "class_name": "Mine", "registered_name": "mine>Mine", "config": {}},
        "contains 'mine>Mine', which is not Keras's own, and code in a file is never run",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CODE)
@pytest.mark.parametrize("place", ["layer", "activation", "kernel_initializer", "optimizer"])
def test_what_is_not_keras_own_is_refused(
    case: str, place: str, good: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it stands."""
    monkeypatch.chdir(canary.parent)
    planted, reason = CODE[case]

    def change(config: Any) -> Any:
        layer = config["config"]["layers"][1]
        if place == "layer":
            layer.update({"registered_name": None, **planted})
        elif place == "optimizer":
            config["compile_config"]["optimizer"] = dict(planted)
        else:
            layer["config"][place] = dict(planted)
        return config

    assert_refused(rewritten(good, canary.with_name("a.keras"), change), reason)
    assert not canary.exists()


@pytest.mark.parametrize(
    "name", ["../canary", "/tmp/canary", "assets/../../canary", "assets\\..\\canary", "canary"]
)
def test_a_file_that_would_be_unpacked_elsewhere_is_refused(
    name: str, good: Path, tmp_path: Path
) -> None:
    path = with_members(good, tmp_path / "a.keras", **{name: b"x"})

    with pytest.raises(RunError, match="which is not part of a model"):
        saved.read(path)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "assets/words.txt"])
def test_what_would_fill_the_memory_is_refused(name: str, good: Path, tmp_path: Path) -> None:
    path = with_members(good, tmp_path / "a.keras", **{name: b" " * 150_000_000})

    with pytest.raises(RunError, match=r"would unpack to 150,\d{3},\d{3} bytes"):
        saved.read(path)


WIDE = {"wide": 10**9, "wider": 10**12, "beyond numbers": 10**400}


@pytest.mark.parametrize("kind", WIDE)
def test_a_model_that_is_larger_than_its_file_is_refused(
    kind: str, good: Path, tmp_path: Path
) -> None:
    """Before a single weight is made: room for this one was made for minutes."""

    def change(config: Any) -> Any:
        config["config"]["layers"][1]["config"]["units"] = WIDE[kind]
        del config["config"]["layers"][2]["build_config"]
        return config

    with zipfile.ZipFile(good) as archive:
        room = archive.getinfo("model.weights.h5").file_size
    assert_refused(
        rewritten(good, tmp_path / "a.keras", change),
        f"describes more weights than fit into its {room:,} bytes",
    )


def test_what_was_only_measured_is_never_made(good: Path, tmp_path: Path) -> None:
    """Keras keeps a list of weights to make, for the next occasion."""

    def change(config: Any) -> Any:
        config["config"]["layers"][1]["config"]["units"] = 10**12
        del config["config"]["layers"][2]["build_config"]
        return config

    with pytest.raises(RunError):
        saved.read(rewritten(good, tmp_path / "a.keras", change))
    with keras.StatelessScope():
        """Keras makes them at the end of such a scope."""
    assert saved.read(good)(np.zeros((1, 3))).shape == (1, 1)


@pytest.mark.parametrize("content", [b"[1]", b"1", b"null", b'"x"'])
def test_a_configuration_of_nothing_is_refused(content: bytes, good: Path, tmp_path: Path) -> None:
    path = with_members(good, tmp_path / "a.keras", **{"config.json": content})

    assert_refused(path, "its configuration is not that of a model")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_inside_of_what_is_packed_is_refused(
    method: int, good: Path, tmp_path: Path
) -> None:
    """Each way of packing fails with errors of its own."""
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    whole = bytearray(path.read_bytes())
    start = whole.find(b"config.json") + 40
    whole[start : start + 60] = b"\xff" * 60
    path.write_bytes(whole)

    assert_refused(path, "cannot be read: ")


def test_a_locked_file_is_refused(good: Path, tmp_path: Path) -> None:
    whole = bytearray(good.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for found in re.finditer(re.escape(signature), bytes(whole)):
            whole[found.start() + flags] |= 1
    path = tmp_path / "a.keras"
    path.write_bytes(whole)

    assert_refused(path, "is encrypted")


def test_nobody_is_told_to_take_less_care(good: Path, tmp_path: Path) -> None:
    """As Keras tells, after the first sentence."""

    def change(config: Any) -> Any:
        layer = config["config"]["layers"][1]
        layer.update(class_name="StringLookup", config={"vocabulary": "/etc/passwd"})
        return config

    with pytest.raises(RunError) as refusal:
        saved.read(rewritten(good, tmp_path / "a.keras", change))

    assert str(refusal.value).endswith(
        "cannot be read: Requested the loading of a vocabulary file outside of the model archive"
    )


def test_nobody_is_shown_all_that_a_file_says(good: Path, tmp_path: Path) -> None:
    def change(config: Any) -> Any:
        config["config"]["layers"][1]["config"] = {"words": "x" * 100_000}
        return config

    with pytest.raises(RunError) as refusal:
        saved.read(rewritten(good, tmp_path / "a.keras", change))

    assert len(str(refusal.value)) < len(str(tmp_path)) + 300


def test_a_configuration_nested_too_deep_is_refused(good: Path, tmp_path: Path) -> None:
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000

    assert_refused(
        with_members(good, tmp_path / "a.keras", **{"config.json": deep}),
        "is nested too deep for a model",
    )


class Pickled:
    """Makes a folder as soon as it is read."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("canary",)


def test_what_is_no_archive_is_refused(
    good: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under its name, too: older files of Keras's are another kind, with other dangers."""
    monkeypatch.chdir(canary.parent)
    whole = good.read_bytes()
    old = Path("old.h5")
    saved.read(good).save(old)
    contents = {"half": whole[: len(whole) // 2], "nothing": b"", "pickle": pickle.dumps(Pickled())}
    contents["old"] = old.read_bytes()

    for name, content in contents.items():
        path = Path(f"{name}.keras")
        path.write_bytes(content)
        assert_refused(path, "is not a model saved by Keras, or is incomplete")
    assert not canary.exists()


def test_what_is_no_file_is_refused_and_nobody_waits_for_it(tmp_path: Path, good: Path) -> None:
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "folder.keras").mkdir()
    (tmp_path / "zero.keras").symlink_to("/dev/zero")
    shutil.copy(good, tmp_path / "good.keras")

    for name in ("pipe", "folder", "zero", "gone"):
        assert_refused(tmp_path / f"{name}.keras", "no such file")
    assert saved.read(tmp_path / "good.keras")
