"""Keras and TensorFlow load without their optional parts, which load on first use."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from nnrun.training import backend

LOADED = """
import sys
from nnrun.training import backend
backend.load()
import json, keras, tensorflow
print(json.dumps([*sys.modules]))
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


def test_optional_parts_are_not_loaded() -> None:
    loaded = set(json.loads(run(LOADED)))

    assert {"keras", "tensorflow"} <= loaded
    assert not {"sklearn", "pandas.core", "matplotlib", "tensorflow._api.v2.compat.v1"} & loaded


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(backend._LAZY_MODULES))
def test_an_optional_part_loads_on_first_use(name: str) -> None:
    """Also if several threads use it at once."""
    run(FIRST_USE.format(name=name))


FREEZE = """
import gc
from nnrun.training import backend
backend.load()
frozen = gc.get_freeze_count()
kept = [[] for _ in range(1000)]
backend.load()
print(frozen, gc.get_freeze_count())
"""


def test_loaded_modules_are_excluded_from_garbage_collection() -> None:
    """Keras collects garbage in each new session, once per fold."""
    first, again = map(int, run(FREEZE).split())

    assert first > 100_000
    assert again <= first
