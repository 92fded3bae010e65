"""Keras and TensorFlow load without what they seldom use, and that is there when it is wanted."""

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

ASKED = """
import importlib, inspect, sys, threading
from nnrun.training import backend
backend.load()
name = {name!r}
importlib.import_module("nnrun.plots")
if name.startswith("tensorflow._api.v2.compat."):
    importlib.import_module("tensorflow").compat.v1
module = sys.modules[name]
# Whoever looks for the module that some code is of asks all of them, and wakes none.
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


def answered(program: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_keras_and_tensorflow_seldom_use_is_not_loaded() -> None:
    """It takes longer than all the rest."""
    loaded = set(json.loads(answered(LOADED)))

    assert {"keras", "tensorflow"} <= loaded
    assert not {"sklearn", "pandas.core", "matplotlib", "tensorflow._api.v2.compat.v1"} & loaded


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(backend._LAZY_MODULES))
def test_whoever_asks_for_it_gets_it(name: str) -> None:
    """It waits until then; several threads at once get a whole module, each of them."""
    answered(ASKED.format(name=name))


LEFT_OUT = """
import gc
from nnrun.training import backend
backend.load()
left_out = gc.get_freeze_count()
kept = [[] for _ in range(1000)]
backend.load()
print(left_out, gc.get_freeze_count())
"""


def test_what_is_loaded_is_never_searched_for_garbage_and_all_else_is() -> None:
    """Keras looks for garbage whenever it begins anew, once per fold."""
    first, again = map(int, answered(LEFT_OUT).split())

    assert first > 100_000
    assert again <= first
