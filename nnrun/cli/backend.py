"""Loads TensorFlow and Keras without what they load for others, in less than half the time.

Both import, in case somebody wants them, pandas, scikit-learn, Matplotlib, the whole of TensorFlow
1 and the converters of TensorFlow Lite. Here these wait until somebody touches them.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

# Each is asked for by its name alone, never with `from … import`, while Keras and TensorFlow load.
# A version that has no such module, or imports from it, is only as slow as it would be anyway.
_SELDOM_USED = frozenset(
    {
        "keras.src.trainers.data_adapters.array_slicing",  # pandas
        "keras.src.visualization",  # Matplotlib
        "keras.visualization",
        "keras.wrappers",  # scikit-learn
        "nnrun.plots",  # Matplotlib; drawn is at the end
        "tensorflow._api.v2.__internal__.feature_column",
        "tensorflow._api.v2.compat",  # TensorFlow 1
        "tensorflow._api.v2.compat.v1.compat",
        "tensorflow._api.v2.compat.v1.lite",
        "tensorflow._api.v2.compat.v2",
        "tensorflow._api.v2.feature_column",
        "tensorflow._api.v2.lite",
    }
)


class _Waiting(ModuleType):
    """A module that is loaded as soon as something is asked of it that only loading gives it.

    It has its name and its file from the start: whoever looks for the module that some code is of,
    as `inspect` does, asks every module for these.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        # The thread that loads it may ask again, because parts of a module import each other.
        self.__dict__["__loading__"] = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        with own["__loading__"]:
            if own.pop("__waits__", False):
                own["__loader__"].exec_module(self)
                object.__setattr__(self, "__class__", ModuleType)
        return ModuleType.__getattribute__(self, name)


class _Later(Loader):
    """Does what another loader does, when it is time."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Waiting(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__
        module.__loader__ = module.__spec__.loader = self._loader
        module.__dict__["__waits__"] = True


class _Lazily:
    """Finds the modules that are seldom used, and lets them wait."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _SELDOM_USED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            spec.loader = _Later(spec.loader)
        return spec


def load() -> None:
    """Imports Keras and TensorFlow, quietly; what they read is a person's choice but the backend."""
    if not any(isinstance(finder, _Lazily) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Lazily())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    before = "keras" in sys.modules
    import keras  # noqa: F401

    if not before:
        # None of it is garbage, and looking through it would take 0.2 s whenever Keras begins anew.
        gc.freeze()
