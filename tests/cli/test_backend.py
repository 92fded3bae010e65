"""Keras and TensorFlow load without what they seldom use, and that is there when it is wanted."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from nnrun.cli import backend

LOADED = """
import sys
from nnrun.cli import backend
backend.load()
import json, keras, tensorflow
print(json.dumps([*sys.modules]))
"""

TOUCHED = """
import importlib, inspect, sys, threading
from nnrun.cli import backend
backend.load()
importlib.import_module("nnrun.plots")
importlib.import_module("tensorflow").compat.v1
name = {name!r}
module = sys.modules[name]
# Whoever looks for the module that some code is of asks all of them, and wakes none.
inspect.getmodule(sys._getframe())
waits = isinstance(module, backend._Waiting)
found = []
ask = lambda: found.append(hasattr(module, "no such name") or len(vars(module)))
threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(set(found)) == 1 and found[0] > 10, found
assert not isinstance(sys.modules[name], backend._Waiting)
print(waits)
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
@pytest.mark.parametrize("name", sorted(backend._SELDOM_USED))
def test_whoever_asks_for_it_gets_it(name: str) -> None:
    """Several threads at once get a whole module, each of them."""
    assert answered(TOUCHED.format(name=name)).strip() in {"True", "False"}
