"""Keras and TensorFlow load without optional parts, and their messages go to the log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from nnrun.errors import RunError
from nnrun.training import backend
from nnrun.training.backend import Noise

LOADED = """
import sys
from nnrun.training import backend
backend.load()
import gc, json, keras, tensorflow
frozen = [gc.get_freeze_count()]
kept = [[] for _ in range(1000)]
backend.load()
print(json.dumps([[*sys.modules], [*frozen, gc.get_freeze_count()]]))
"""

FIRST_USE = """
import importlib, inspect, sys, threading
from nnrun.training import backend
backend.load()
name = {name!r}
importlib.import_module("nnrun.plots")
if name.startswith("tensorflow._api.v2.compat."):
    importlib.import_module("tensorflow").compat.v1
module = sys.modules[name]
# `inspect` looks at all modules and must load none.
inspect.getmodule(sys._getframe())
assert isinstance(module, backend._LazyModule)
found = []
ask = lambda: found.append(hasattr(module, "no such name") or len(vars(module)))
threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(set(found)) == 1 and found[0] > 10, found
assert not isinstance(module, backend._LazyModule)
"""


def run(program: str) -> str:
    """The output of a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_loading_skips_optional_parts_and_freezes_the_others() -> None:
    """Keras collects garbage in each new session, once per fold."""
    modules, (frozen, again) = json.loads(run(LOADED))
    loaded = set(modules)

    assert frozen > 100_000
    assert again <= frozen
    assert {"keras", "tensorflow"} <= loaded
    assert not {"sklearn", "pandas.core", "matplotlib", "tensorflow._api.v2.compat.v1"} & loaded


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(backend._LAZY_MODULES))
def test_an_optional_part_loads_on_first_use(name: str) -> None:
    """Also if several threads use it at once."""
    run(FIRST_USE.format(name=name))


def test_output_of_c_goes_to_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """TensorFlow writes to the file descriptor, before and after the run has a folder."""
    log = tmp_path / "log.txt"
    with Noise() as noise:
        os.write(2, b"before\n")
        noise.move_to(log)
        os.write(2, b"after\n")
        noise.note("epoch 1/1")
        print("for the user", file=noise.terminal, flush=True)

    assert log.read_text() == "before\nafter\nepoch 1/1\n"
    assert capfd.readouterr().err == "for the user\n"


def test_stderr_is_restored(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with suppress(ZeroDivisionError), Noise() as noise:
        noise.move_to(tmp_path / "log.txt")
        raise ZeroDivisionError
    os.write(2, b"a traceback\n")

    assert capfd.readouterr().err == "a traceback\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_log_on_a_full_disk_is_a_run_error() -> None:
    with Noise() as noise, pytest.raises(RunError) as error:
        noise.move_to(Path("/dev/full"))

    assert str(error.value) == "/dev/full: cannot be written: No space left on device"


def test_a_folder_in_place_of_the_log_is_a_run_error(tmp_path: Path) -> None:
    with Noise() as noise, pytest.raises(RunError) as error:
        noise.move_to(tmp_path)

    assert str(error.value) == f"{tmp_path}: cannot be written: Is a directory"


def test_warnings_as_errors_do_not_end_a_training() -> None:
    """`PYTHONWARNINGS=error` is meant for the user's own tests; Keras warns after an epoch."""
    program = (
        "from nnrun.cli.entry import show_warnings as s; s(); import warnings; warnings.warn('x')"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )

    assert (done.returncode, "UserWarning: x" in done.stderr) == (0, True)
