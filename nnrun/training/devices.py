"""Selects the device, and sets the global seeds."""

from __future__ import annotations

import platform

import keras
import numpy as np
import tensorflow as tf

from nnrun.errors import DeviceError
from nnrun.types import Fold


def available() -> dict[str, str]:
    """Descriptions of the devices, by their names in a spec."""
    devices = {"cpu": platform.processor() or platform.machine()}
    for index, gpu in enumerate(tf.config.list_physical_devices("GPU")):
        details = tf.config.experimental.get_device_details(gpu)
        devices[f"gpu:{index}"] = str(details.get("device_name", "GPU"))
    return devices


def choose(wanted: str) -> str:
    """The device for `auto`, `cpu` or `gpu:N`.

    Raises:
        DeviceError: there is no such device.
    """
    devices = available()
    if wanted == "auto":
        return "gpu:0" if "gpu:0" in devices else "cpu"
    if wanted not in devices:
        raise DeviceError(f"no device {wanted}; available: {', '.join(devices)}")
    return wanted


def tensorflow_name(device: str) -> str:
    """`gpu:1` as TensorFlow writes it, `/GPU:1`."""
    return f"/{device.upper()}" if ":" in device else f"/{device.upper()}:0"


def seed_everything(seed: int) -> None:
    """Seeds Python, NumPy and Keras, and makes TensorFlow deterministic."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def fold_seed(seed: int, fold: Fold) -> int:
    """The seed of a fold's initial weights and layers; that of the experiment for a hold-out.

    Folds differ, so that the spread over folds includes the effect of the initial weights.
    """
    if not fold.number:
        return seed
    return int(np.random.default_rng([seed, fold.number]).integers(2**31))
