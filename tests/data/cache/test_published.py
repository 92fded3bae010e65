"""The table of files agrees with the data sets, with itself, and with the files at hand."""

from __future__ import annotations

import re

import pytest

from nnrun.data import published
from nnrun.data.published import File
from nnrun.spec.dataset import DATASETS

SIZES = {"md5": 32, "sha256": 64}
NAMES = set(DATASETS)
every_file = pytest.mark.parametrize("file", published.FILES, ids=lambda file: file.name)


def test_every_file_belongs_to_a_registered_data_set() -> None:
    assert {file.dataset for file in published.FILES} < NAMES


def test_a_hash_and_a_name_mean_one_file() -> None:
    """An import is recognised by its hash, and two files cannot lie in one place."""
    for facts in ({f.hash for f in published.FILES}, {f.name for f in published.FILES}):
        assert len(facts) == len(published.FILES)


@every_file
def test_a_hash_is_whole(file: File) -> None:
    algorithm, digest = file.hash.split(":")

    assert re.fullmatch(f"[0-9a-f]{{{SIZES[algorithm]}}}", digest)


@every_file
def test_what_is_unpickled_has_a_hash_that_cannot_be_forged(file: File) -> None:
    """MD5 only where bytes are read as numbers or as JSON."""
    assert file.hash.startswith("sha256:") or file.name.endswith((".json", "-ubyte.gz"))


def test_an_embedded_data_set_has_no_file() -> None:
    assert published.of("iris") == ()
