"""60,000 photographs from the Tiny Images (Alex Krizhevsky, 2009), in 10 or 100 classes."""

from __future__ import annotations

import pickle
import tarfile
from collections.abc import Mapping, Sequence
from typing import IO

import numpy as np

from nnrun.data.cache import fetch_bytes
from nnrun.data.published import CIFAR10, CIFAR100
from nnrun.spec.dataset import Cifar10, Cifar100
from nnrun.types import Array, Dataset, Split, Target

# Pixels, labels or names of labels.
Batch = Mapping[bytes, Array | Sequence[int] | Sequence[bytes]]


def cifar10(spec: Cifar10) -> Dataset:
    """The rows of `keras.datasets.cifar10.load_data`; labels have one axis.

    Returns:
        Images of shape `(rows, 32, 32, 3)`, uint8; labels are 0 to 9.
    """
    trains = [f"data_batch_{number}" for number in range(1, 6)]
    names = [*trains, "test_batch", "batches.meta"]
    batches = _batches(fetch_bytes(CIFAR10), "cifar-10-batches-py", names)
    return Dataset(
        spec.name,
        _split([batches[name] for name in trains], b"labels"),
        _split([batches["test_batch"]], b"labels"),
        Target.one_of("kind", _names(batches["batches.meta"], b"label_names")),
    )


def cifar100(spec: Cifar100) -> Dataset:
    """The rows of `keras.datasets.cifar100.load_data`; labels have one axis.

    Returns:
        Images of shape `(rows, 32, 32, 3)`, uint8; labels are 0 to 99, or 0 to 19 for
        `label_mode: coarse`.
    """
    batches = _batches(fetch_bytes(CIFAR100), "cifar-100-python", ["train", "test", "meta"])
    labels = f"{spec.label_mode}_labels".encode()
    return Dataset(
        spec.name,
        _split([batches["train"]], labels),
        _split([batches["test"]], labels),
        Target.one_of(
            "kind" if spec.label_mode == "fine" else "group",
            _names(batches["meta"], f"{spec.label_mode}_label_names".encode()),
        ),
    )


def _batches(archive: IO[bytes], folder: str, names: Sequence[str]) -> dict[str, Batch]:
    """Reads and closes a trusted archive: its batches are pickles."""
    batches = {}
    # In the order of the archive, because a step back would unpack the stream again. Closed at the
    # end, because the archive is as large as the images.
    with archive, tarfile.open(fileobj=archive, mode="r:gz") as tar:
        for member in tar:
            name = member.name.removeprefix(f"{folder}/")
            if name in names and (file := tar.extractfile(member)):
                batches[name] = pickle.load(file, encoding="bytes")
    return batches


def _split(batches: Sequence[Batch], labels: bytes) -> Split:
    pixels = np.concatenate([np.asarray(batch[b"data"]) for batch in batches])  # (rows, 3 * 1024)
    images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Split(
        np.ascontiguousarray(images, np.uint8),
        np.concatenate([np.asarray(batch[labels], np.int64) for batch in batches]),
    )


def _names(meta: Batch, key: bytes) -> tuple[str, ...]:
    return tuple(bytes(name).decode() for name in meta[key])
