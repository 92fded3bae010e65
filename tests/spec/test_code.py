"""The user's Python code: its names and arguments are known without running it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import jsonschema
import pytest
import yaml

from nnrun import check
from nnrun.errors import CodeError, IncompatibleSpec, SpecError
from nnrun.spec import catalogue, code, schema
from nnrun.spec.code import CodeFile
from nnrun.spec.dumping import digest
from nnrun.spec.keys import look_up
from nnrun.spec.loading import load
from nnrun.spec.rendering import render

SPEC = """\
code: {files}
dataset: {dataset}
model:
  - {layer}
  - Dense: {{units: 3, activation: softmax}}
training:
  optimizer: {optimizer}
  loss: {loss}
  metrics: [{metric}]
  callbacks: [{callback}]
  epochs: 1
validation: {{holdout: {{size: 0.2, take: random}}}}
"""
OWN = '''\
from pathlib import Path
from typing import Literal, Optional

import keras
from keras.layers import Dense as Wide

raise SystemExit("a check never runs the file")


class Gate(keras.layers.Layer):
    """A gate. It has more to say.

    Args:
        units: Width of the gate.
    """

    def __init__(self, units: int, rate: float = 0.5, mode: Literal["a", "b"] = "a",
                 names: Optional[list[str]] = None, kernel_initializer="zeros", free=None, **kwargs):
        super().__init__(**kwargs)


class Narrow(keras.layers.Layer):
    def __init__(self, units: int):
        super().__init__()


class Five(Wide):
    def __init__(self, scale: "float", **kwargs):
        super().__init__(units=5, **kwargs)


class Bare(Five):
    pass


class Loss(keras.losses.Loss):
    pass


class Steps(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, start: float):
        pass


class Descent(keras.optimizers.Optimizer):
    def __init__(self, learning_rate=0.1, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)


class Log(keras.callbacks.Callback):
    def __init__(self, filename: str):
        pass


class Watch(keras.callbacks.Callback):
    def __init__(self, monitor=None):
        pass


class Plain:
    pass


class Clip:
    def __init__(self, share: float = 0.1):
        pass

    def apply(self, rows):
        return rows


def rows(n: int, noise: float = 0.1, path: Path = None, folder: "Path" = "x"):
    """Rows of the test."""


def close(y_true, y_pred):
    return y_true


def bend(x):
    return x
'''


def write(folder: Path, files: str = "[own.py]", **parts: str) -> Path:
    """A spec with its code."""
    (folder / "own.py").write_text(OWN)
    usual = {
        "dataset": "{name: iris, prepare: [standardize]}",
        "layer": "Dropout: 0.5",
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metric": "accuracy",
        "callback": "TerminateOnNaN",
    }
    path = folder / "spec.yaml"
    path.write_text(SPEC.format(files=files, **{**usual, **parts}))
    return path


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Leaves no own names to other tests."""
    yield
    catalogue.use_own({})


def fits_schema(path: Path) -> bool:
    """Whether an editor accepts a spec."""
    catalogue.use_own({})
    spec = yaml.safe_load(path.read_text())
    return not list(jsonschema.Draft7Validator(schema.schema()).iter_errors(spec))


def faults(path: Path) -> list[str]:
    """The first lines of all faults, without the folder."""
    try:
        found = check.faults(load(path))
    except SpecError as error:
        found = error.faults
    return [render(fault).splitlines()[0].removeprefix(f"{path.parent}/") for fault in found]


@pytest.mark.parametrize(
    "parts",
    [
        {"layer": "own.Gate: 5"},
        {"layer": "own.Gate: {units: 5, rate: 1, mode: b, names: [x], free: {a: [1]}, name: g}"},
        {"layer": "own.Gate: {units: 5, names: null, kernel_initializer: {HeNormal: {seed: 1}}}"},
        {"layer": "own.Five: {scale: 2, use_bias: false}"},
        {"layer": "own.Bare: 2.5"},
        {"layer": "Residual: {main: [{own.Gate: 5}]}"},
        {"layer": "TimeDistributed: {layer: {own.Gate: 8}}", "loss": "own.close"},
        {"layer": "Dense: {units: 3, activation: own.bend}"},
        {"loss": "{own.Loss: {reduction: sum}}", "metric": "own.close"},
        {"optimizer": "{own.Descent: {learning_rate: {own.Steps: 0.1}}}"},
        {"callback": "own.Log: log.csv"},
        {"callback": "own.Watch"},
        {"callback": "own.Watch: val_loss"},
        {"dataset": "{name: iris, prepare: [own.Clip, own.Clip: 0.2, own.Clip: {share: 1}]}"},
        {"dataset": "{name: own.rows, n: 5, path: data.csv, folder: more, prepare: [flatten]}"},
        {"callback": "LearningRateScheduler: {schedule: own.bend}"},
    ],
    ids=str,
)
def test_own_names_stand_where_names_of_keras_stand(parts: dict[str, str], tmp_path: Path) -> None:
    path = write(tmp_path, **parts)
    shapes = [fault for fault in faults(path) if "TimeDistributed cannot follow" not in fault]

    assert shapes == []
    assert fits_schema(path)
    assert not any(
        isinstance(module, ModuleType) and module.__name__ == "nnrun_code"
        for module in sys.modules.values()
    )


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ({"layer": "own.Gate"}, "4:5: NN113 model[0].own.Gate: own.Gate needs the argument 'units'"),
        ({"layer": "own.Gate: x"}, "4:15: NN114 model[0].own.Gate.units: must be a whole number, got 'x'"),
        ({"layer": "own.Gate: {units: 5, rate: fast}"}, "4:32: NN114 model[0].own.Gate.rate: must be a number, got 'fast'"),
        ({"layer": "own.Gate: {units: 5, mode: c}"}, "4:32: NN114 model[0].own.Gate.mode: must be a or b, got 'c'"),
        ({"layer": "own.Gate: {unit: 5}"}, "4:16: NN112 model[0].own.Gate.unit: own.Gate has no argument 'unit'; did you mean 'units'?"),
        ({"layer": "own.Narrow: {units: 5, name: x}"}, "4:28: NN112 model[0].own.Narrow.name: own.Narrow has no argument 'name'; it takes units"),
        ({"layer": "own.Five"}, "4:5: NN113 model[0].own.Five: own.Five needs the argument 'scale'"),
        ({"layer": "own.Gaet: 5"}, "4:5: NN104 model[0]: own.py has no layer 'Gaet'; did you mean 'own.Gate'?"),
        ({"layer": "own.Loss"}, "4:5: NN104 model[0]: own.Loss is not a layer; a layer is a subclass of keras.layers.Layer"),
        ({"layer": "own.Plain"}, "4:5: NN104 model[0]: own.Plain is not a layer; a layer is a subclass of keras.layers.Layer"),
        ({"layer": "more.Gate"}, "4:5: NN104 model[0]: unknown layer 'more.Gate'; a spec only names objects of Keras, or of its files under code: for your own more.py write 'code: [more.py]'"),
        ({"layer": "layers.Dense: 5"}, "4:5: NN104 model[0]: unknown layer 'layers.Dense'; did you mean 'Dense'?"),
        ({"layer": "own.Gate: {units: 5, free: {class_name: x}}"}, "4:32: NN114 model[0].own.Gate.free: must be a plain value, got the configuration of an object; a spec only names objects of Keras, or of its files under code"),
        ({"layer": "Dense: {units: 3, activation: own.close}"}, "4:35: NN117 model[0].Dense.activation: own.close is not an activation; an activation is a function that is called with 1 argument"),
        ({"loss": "own.bend"}, "8:9: NN106 training.loss: own.bend is not a loss; a loss is a subclass of keras.losses.Loss or a function that is called with 2 arguments"),
        ({"loss": "{own.close: 3}"}, "8:10: NN106 training.loss: own.close is a function, and takes no arguments here; make it a subclass of keras.losses.Loss"),
        ({"callback": "own.Watch: val_los"}, "10:15: NN125 training.callbacks[0]: own.Watch watches 'val_los', but the history will hold only loss, accuracy, val_loss, val_accuracy"),
        ({"dataset": "{name: iris, prepare: [own.Clp]}"}, "2:33: NN118 dataset.prepare[0]: own.py has no prepare step 'Clp'; did you mean 'own.Clip'?"),
        ({"dataset": "{name: iris, prepare: [own.Gate]}"}, "2:33: NN118 dataset.prepare[0]: own.Gate is not a prepare step; a prepare step is a class with a method apply"),
        ({"dataset": "{name: iris, prepare: [own.Clip: x]}"}, "2:43: NN114 dataset.prepare[0].own.Clip.share: must be a number, got 'x'"),
        ({"dataset": "own.rows"}, "2:1: NN113 dataset: own.rows needs the argument 'n'"),
        ({"dataset": "{name: own.rows, n: 5, m: 3}"}, "2:33: NN112 dataset.m: own.rows has no argument 'm'; it takes n, noise, path and folder"),
        ({"dataset": "{name: own.rows, n: 5, path: 3}"}, "2:39: NN114 dataset.path: must be a file name, got 3"),
        ({"dataset": "{name: own.row, n: 5}"}, "2:17: NN109 dataset.name: own.py has no data set 'row'; did you mean 'own.rows'?"),
        ({"dataset": "own.Gate"}, "2:10: NN109 dataset.name: own.Gate is not a data set; a data set is a function"),
        ({"dataset": "{name: own.rows, n: 5, prepare: [rescael]}"}, "2:43: NN118 dataset.prepare[0]: unknown step 'rescael'; did you mean 'rescale'?"),
        ({"callback": "own.Log: ../log.csv"}, "10:24: NN116 training.callbacks[0].own.Log.filename: must be a path inside the run folder, got '../log.csv'"),
        ({"callback": "own.Log: model.keras"}, "10:24: NN116 training.callbacks[0].own.Log.filename: nnrun itself writes 'model.keras' into the run folder; take another name"),
    ],
)  # fmt: skip
def test_arguments_are_checked_as_those_of_keras(
    parts: dict[str, str], fault: str, tmp_path: Path
) -> None:
    own = frozenset(("model.keras",))
    path = write(tmp_path, **parts)
    try:
        found = check.faults(load(path), own=own)
    except SpecError as error:
        found = error.faults

    assert [render(f).splitlines()[0].removeprefix(f"{tmp_path}/spec.yaml:") for f in found] == [
        fault
    ]


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ("own.py", "spec.yaml:1:7: NN103 code: must be a list, got 'own.py'; did you mean '[own.py]'?"),
        ("[3]", "spec.yaml:1:8: NN103 code[0]: must be the name of a Python file such as layers.py, got 3"),
        ("[ow.py]", "spec.yaml:1:8: NN130 code[0]: there is no file 'ow.py'; did you mean 'own.py'?"),
        ("[own.txt]", "spec.yaml:1:8: NN130 code[0]: must be a Python file that ends in .py, got 'own.txt'"),
        ("[/tmp/own.py]", "spec.yaml:1:8: NN130 code[0]: must be a file relative to this one, got '/tmp/own.py'"),
        ("['C:\\own.py']", "spec.yaml:1:8: NN130 code[0]: must be a file relative to this one, got 'C:\\own.py'"),
        ("['~/own.py']", "spec.yaml:1:8: NN130 code[0]: must be a file relative to this one, got '~/own.py'"),
        ("[my-file.py]", "spec.yaml:1:8: NN130 code[0]: 'my-file' cannot be the name of a Python module; rename it"),
        ("[own.py, ../{here}/own.py]", "spec.yaml:1:16: NN130 code[1]: there are two files 'own.py'; rename one"),
        ("[folder.py]", "spec.yaml:1:8: NN130 code[0]: 'folder.py' cannot be read: Is a directory"),
        ("[pipe.py]", "spec.yaml:1:8: NN130 code[0]: 'pipe.py' cannot be read: it is a pipe or a device"),
        ("[link.py]", "spec.yaml:1:8: NN130 code[0]: 'link.py' is a link to a file that does not end in .py"),
        ("[large.py]", "spec.yaml:1:8: NN130 code[0]: 'large.py' is larger than 500 kB"),
        ("[broken.py]", "broken.py:2:7: NN131: is not valid Python: invalid syntax"),
        ("[null.py]", "null.py:1:1: NN131: is not valid Python: source code string cannot contain null bytes"),
        ("[deep.py]", "deep.py:1:205: NN131: is not valid Python: too many nested parentheses"),
        ("[more.py]", "more.py:1:1: NN131: imports 'own.py', which is not listed under code"),
        ("[own.py, plain.py]", "plain.py:1:1: NN131: files under code import each other with a dot: write '.own'"),
        ("[missing.py]", "missing.py:1:1: NN131: imports 'no_such_package', which is not installed"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_code_is_refused(files: str, fault: str, tmp_path: Path) -> None:
    """A link shows no line of a private file, and a pipe does not block."""
    path = write(tmp_path, files.replace("{here}", tmp_path.name))
    (tmp_path / "private.txt").write_text("secret")
    (tmp_path / "link.py").symlink_to("private.txt")
    (tmp_path / "folder.py").mkdir()
    code.os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "large.py").write_bytes(b"#" * 500_001)
    (tmp_path / "broken.py").write_text("\ndef f(:\n    pass\n")
    (tmp_path / "null.py").write_bytes(b"a = 1\0")
    (tmp_path / "deep.py").write_text("a = " + "(" * 5000 + ")" * 5000)
    (tmp_path / "more.py").write_text("from .own import Gate\nfrom . import more\n")
    (tmp_path / "plain.py").write_text("from own import Gate\nimport random\n")
    (tmp_path / "missing.py").write_text("import no_such_package.part\n")

    assert faults(path) == [fault]


def test_code_of_an_extended_spec_is_relative_to_that_spec(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    write(tmp_path / "base", layer="own.Gate: 5")
    path = tmp_path / "more.yaml"
    path.write_text("extends: base/spec.yaml\ntraining: {loss: own.close}\n")

    [file] = load(path).experiment.code

    assert file.path.resolve() == tmp_path / "base" / "own.py"
    assert file.content == OWN.encode()


def test_an_argument_of_own_code_can_be_set(tmp_path: Path) -> None:
    path = write(tmp_path, layer="own.Gate: 5", loss="own.Loss")
    overrides = ["model.0.own.Gate.units=7", "training.loss.own.Loss.reduction=sum"]
    spec = load(path, overrides=overrides).experiment

    assert spec.model[0].arguments == {"units": 7}
    assert spec.training.loss.arguments == {"reduction": "sum"}


def test_paths_of_a_data_set_are_relative_to_the_spec(tmp_path: Path) -> None:
    """An argument that is annotated as a path, or is called `path` or `test`."""
    path = write(tmp_path, dataset="{name: own.rows, n: 5, path: a.csv, folder: ../b, noise: 1}")
    dataset = load(path).experiment.dataset

    assert dataset.name == "own.rows"
    assert dataset.model_dump() == {
        "name": "own.rows",
        "n": 5,
        "path": str(tmp_path / "a.csv"),
        "folder": str(tmp_path.parent / "b"),
        "noise": 1,
        "prepare": [],
    }


def test_names_of_one_spec_mean_nothing_in_the_next(tmp_path: Path) -> None:
    path = write(tmp_path, layer="own.Gate: 5")
    load(path)
    path.write_text(path.read_text().replace("code: [own.py]\n", ""))

    assert "unknown layer 'own.Gate'" in faults(path)[0]


def test_the_digest_of_a_spec_depends_on_its_code_and_not_on_the_folder(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    first, second = (digest(load(write(tmp_path / name)).experiment) for name in "ab")
    changed = tmp_path / "b" / "own.py"
    changed.write_text(f"{OWN}\n")

    assert first == second
    assert digest(load(tmp_path / "b" / "spec.yaml").experiment) != second


def test_keys_shows_the_docstrings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    [gate] = look_up("own.Gate")

    assert (gate.title, gate.kind, gate.meaning) == ("own.Gate", "layer", "A gate.")
    assert (gate.keys[0].name, gate.keys[0].meaning) == ("units", "Width of the gate.")
    assert (gate.keys[0].value, gate.keys[0].required) == ("whole number", True)
    assert {"own.Gate", "own.Loss", "own.close"} <= {section.title for section in look_up("own.py")}


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the permissions, and a process without any."""
    monkeypatch.setattr(code, "_ALLOWED", set())
    monkeypatch.setattr(code, "_ACTIVE", code._Active())
    monkeypatch.setattr(code.platformdirs, "user_config_path", lambda name: tmp_path / name)
    return tmp_path / "nnrun" / "allowed-code.txt"


def test_permission_holds_for_a_version_of_a_file(configuration: Path) -> None:
    old, new = (CodeFile(Path("a.py"), content) for content in (b"a = 1", b"a = 2"))
    code.allow([old])
    code.allow([old])
    code._ALLOWED.clear()  # as in another process

    code.check_allowed([old])
    assert configuration.read_text() == f"{old.digest}  a.py\n"
    assert configuration.stat().st_mode & 0o777 == 0o600
    with pytest.raises(IncompatibleSpec, match=r"\(a\.py\) that you have not allowed yet"):
        code.activate([new])


def test_permission_without_a_folder_is_for_this_process(
    configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration.parent.write_text("a file")
    file = CodeFile(Path("a.py"), b"")

    assert "nnrun: File exists" in (code.allow([file]) or "")
    code.check_allowed([file])


def test_files_are_modules_of_one_package(configuration: Path) -> None:
    """They hide no module of Python, run once, and only when a name of theirs is used."""
    files = [
        CodeFile(Path("random.py"), b"from .json import B\nimport json, random\nA = B, json.dumps, random.random()"),
        CodeFile(Path("json.py"), b"B = 2"),
        CodeFile(Path("never.py"), b"raise SystemExit"),
    ]  # fmt: skip
    code.allow(files)
    code.activate(files)
    value = code.find("random.A")
    code.activate(files)
    import json

    assert value[:2] == (2, json.dumps)
    assert code.find("random.A") is value
    assert "nnrun_code.never" not in sys.modules


def test_a_file_draws_the_same_random_numbers_in_every_process(configuration: Path) -> None:
    import numpy as np

    drawn = []
    for name in ("a.py", "b.py"):
        file = CodeFile(
            Path(name), b"import random, numpy\nX = random.random(), numpy.random.rand()"
        )
        code.allow([file])
        np.random.seed(len(drawn))
        code.activate([file])
        drawn.append(code.find(f"{file.module}.X"))

    assert drawn[0] == drawn[1]


def test_an_error_is_shown_with_its_line(configuration: Path) -> None:
    file = CodeFile(Path("own.py"), b"def f():\n    return 1 / 0\n\nX = f()\n")
    code.allow([file])
    code.activate([file])

    with pytest.raises(CodeError) as error:
        code.find("own.X")
    assert (
        str(error.value) == "own.py:2: in f ZeroDivisionError: division by zero\n    return 1 / 0"
    )
