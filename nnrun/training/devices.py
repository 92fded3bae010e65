"""Which device computes, and the only place that sets the global seed of Keras."""

from __future__ import annotations

import platform

import keras
import numpy as np
import tensorflow as tf

from nnrun.errors import DeviceError
from nnrun.types import Fold


def available() -> dict[str, str]:
    """Devices by the name a spec uses for them, each with a description."""
    found = {"cpu": platform.processor() or platform.machine()}
    for index, gpu in enumerate(tf.config.list_physical_devices("GPU")):
        details = tf.config.experimental.get_device_details(gpu)
        found[f"gpu:{index}"] = str(details.get("device_name", "GPU"))
    return found


def choose(wanted: str) -> str:
    """The device that `auto`, `cpu` or `gpu:N` means here.

    Raises:
        DeviceError: there is no such device.
    """
    found = available()
    if wanted == "auto":
        return "gpu:0" if "gpu:0" in found else "cpu"
    if wanted not in found:
        raise DeviceError(f"there is no {wanted} here; there is {', '.join(found)}")
    return wanted


def tensorflow_name(device: str) -> str:
    """`gpu:1` as TensorFlow writes it, `/GPU:1`."""
    return f"/{device.upper()}" if ":" in device else f"/{device.upper()}:0"


def seed_everything(seed: int) -> None:
    """Seeds Python, NumPy and Keras, and refuses operations whose result may vary."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def of_fold(seed: int, fold: Fold) -> int:
    """The seed of a fold's first weights and of its layers; that of the experiment for a hold-out.

    Each fold has its own, so that the spread over folds holds what the first weights make of it.
    """
    if not fold.number:
        return seed
    return int(np.random.default_rng([seed, fold.number]).integers(2**31))
