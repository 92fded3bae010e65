"""Archives of arrays that Keras publishes, of Python's own objects: each a pickle, which runs code."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from io import BufferedReader, BytesIO
from typing import Any
from zipfile import ZipFile

from numpy.lib.format import read_array

from nnrun.cache.download import fetched
from nnrun.cache.file import File
from nnrun.records import Array

_PIECE = 2**20


def archive(file: File) -> Callable[[str], Array]:
    """A function that gives an array by its name.

    In half of the time that `np.load` takes, which hands over small pieces of the file and lets
    the collector look at every list that comes out of them.

    Raises:
        DataError: the file cannot be had.
    """
    return partial(_array, fetched(file))  # unpickled only because its hash is right


def _array(content: BytesIO, name: str) -> Array:
    with ZipFile(content) as members:
        whole: Any = BufferedReader(BytesIO(members.read(f"{name}.npy")), _PIECE)  # no `IO[bytes]`
    collects = gc.isenabled()
    gc.disable()
    try:
        array: Array = read_array(whole, allow_pickle=True)
    finally:
        if collects:
            gc.enable()
    return array
