"""Small archives in the format of cifar10 and cifar100."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.data import datasets
from nnrun.data.datasets import cifar
from nnrun.spec.dataset import Cifar10, Cifar100
from nnrun.types import Array


def plain(*shades: int) -> Array:
    """Images of one colour each: red is the shade, green one more, blue two more."""
    planes = [np.repeat([shade, shade + 1, shade + 2], 32 * 32) for shade in shades]
    return np.array(planes, np.uint8)  # (images, 3 * 32 * 32), one plane after the other


def pack(path: Path, members: dict[str, Any]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            body = pickle.dumps(content, protocol=2)
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return path


@pytest.fixture
def archive_10(tmp_path: Path) -> Path:
    """As in the published one, the batches are not in order."""
    folder = "cifar-10-batches-py"
    batches = {
        f"{folder}/data_batch_{n}": {b"data": plain(10 * n, 10 * n + 5), b"labels": [n, 0]}
        for n in (4, 1, 5, 3, 2)
    }
    test = {f"{folder}/test_batch": {b"data": plain(100), b"labels": [1]}}
    meta = {f"{folder}/batches.meta": {b"label_names": [b"airplane", b"automobile"]}}
    return pack(tmp_path / "cifar10", {**meta, **test, **batches})


@pytest.fixture
def archive_100(tmp_path: Path) -> Path:
    labels = {b"fine_labels": [1, 0], b"coarse_labels": [0, 0]}
    return pack(
        tmp_path / "cifar100",
        {
            "cifar-100-python/meta": {
                b"fine_label_names": [b"apple", b"aquarium_fish"],
                b"coarse_label_names": [b"food"],
            },
            "cifar-100-python/test": {b"data": plain(7, 8), **labels},
            "cifar-100-python/train": {b"data": plain(1, 2), **labels},
        },
    )


def test_cifar10_is_read_in_the_order_of_batches(
    archive_10: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Colours are the last axis, labels have one axis, and the archive names the classes."""
    monkeypatch.setattr(cifar, "fetch_bytes", lambda _: archive_10.open("rb"))
    dataset = datasets.load(Cifar10(name="cifar10"))
    images = np.asarray(dataset.train.x)

    assert (images.shape, images.dtype) == ((10, 32, 32, 3), np.uint8)
    assert images[:, 0, 0, 0].tolist() == [10, 15, 20, 25, 30, 35, 40, 45, 50, 55]
    assert (images[0] == [10, 11, 12]).all()
    assert dataset.train.y.tolist() == [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]
    assert dataset.test.y.tolist() == [1]
    assert dataset.classes == ("airplane", "automobile")


@pytest.mark.parametrize(
    ("spec", "labels", "classes"),
    [
        (Cifar100(name="cifar100"), [1, 0], ("apple", "aquarium_fish")),
        (Cifar100(name="cifar100", label_mode="coarse"), [0, 0], ("food",)),
    ],
    ids=["fine", "coarse"],
)
def test_cifar100_has_fine_and_coarse_labels(
    archive_100: Path,
    spec: Cifar100,
    labels: list[int],
    classes: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`label_mode` selects both labels and names."""
    monkeypatch.setattr(cifar, "fetch_bytes", lambda _: archive_100.open("rb"))
    dataset = datasets.load(spec)

    assert (dataset.train.y.tolist(), dataset.classes) == (labels, classes)
