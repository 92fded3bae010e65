"""A file is known by its hash, and gets to its place whole or not at all."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from nnrun.data.cache import identify, import_file
from nnrun.data.published import File
from nnrun.errors import DataError

BYTES = b"what was published"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The file as a browser saved it the second time."""
    path = tmp_path / "some (1).npz"
    path.write_bytes(BYTES)
    return path


@pytest.fixture
def other(file: File) -> File:
    """Another published file, whose hash is of another kind."""
    return replace(
        file, dataset="other", name="other.gz", url="http://x/o.gz", hash="md5:0", bytes=1
    )


def refused(path: Path, *files: File) -> str:
    with pytest.raises(DataError) as caught:
        identify(path, files)
    return str(caught.value)


def test_a_file_is_recognised_under_any_name(mine: Path, file: File, other: File) -> None:
    assert identify(mine, [other, file]) == file


def test_a_file_that_is_none_of_them_is_refused_with_all_of_them(
    mine: Path, file: File, other: File
) -> None:
    """With its own hash, so that a person can compare."""
    mine.write_bytes(b"please log in")
    md5, sha256 = (hashlib.new(kind, b"please log in").hexdigest() for kind in ("md5", "sha256"))

    assert refused(mine, file, other) == (
        f"{mine} is none of these files, so nothing was changed; it has 13 bytes and the hash "
        f"md5:{md5} or sha256:{sha256}\n"
        f"  some   some.npz  {file.hash}\n"
        "  other  o.gz      md5:0"
    )


def test_only_hashes_that_are_published_are_made(mine: Path, other: File) -> None:
    """A hash of another kind could not be compared with anything."""
    assert "sha256" not in refused(mine, other)


def test_a_file_that_is_not_there_is_said(tmp_path: Path, file: File) -> None:
    absent = tmp_path / "absent"

    assert refused(absent, file) == f"{absent} cannot be read: No such file or directory"


def test_a_folder_is_no_file(tmp_path: Path, file: File) -> None:
    """The archive is wanted, not what a double click made of it."""
    assert refused(tmp_path, file) == f"{tmp_path} cannot be read: Is a directory"


def test_a_file_is_copied_to_its_place_and_kept_where_it_was(mine: Path, file: File) -> None:
    """Nothing else is left in the folder, which is made where there is none."""
    assert import_file(mine, file)
    assert [(path, path.read_bytes()) for path in file.path.parent.iterdir()] == [
        (file.path, BYTES)
    ]
    assert mine.read_bytes() == BYTES


def test_a_file_that_is_there_already_is_not_written_again(
    mine: Path, file: File, target: Path
) -> None:
    target.write_bytes(BYTES)
    before = target.stat().st_mtime_ns

    assert not import_file(mine, file)
    assert target.stat().st_mtime_ns == before


def test_another_file_in_the_place_is_kept(mine: Path, file: File, target: Path) -> None:
    """It may be somebody's own version of the data."""
    target.write_bytes(b"made by myself, so")
    with pytest.raises(DataError, match="It was left as it is"):
        import_file(mine, file)

    assert target.read_bytes() == b"made by myself, so"


def test_a_file_that_changes_meanwhile_is_not_kept(mine: Path, file: File, target: Path) -> None:
    """Some other program is still writing to it."""
    mine.write_bytes(BYTES + b" and more")
    with pytest.raises(DataError) as caught:
        import_file(mine, file)

    assert str(caught.value) == (
        f"some: {file.path} is not there, and the file from {mine} was not kept, because its hash "
        f"is not {file.hash}. Connect to the internet once and run again, or save the file from "
        "that address anywhere and run `nnrun data import FILE`, or set KERAS_HOME to a folder "
        "that holds it as datasets/some.npz."
    )
    assert list(target.parent.iterdir()) == []


def test_a_place_that_cannot_be_made_is_said(mine: Path, file: File, home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(DataError) as caught:
        import_file(mine, file)

    assert str(caught.value) == (
        f"some: {file.path} is not there and cannot be written: Not a directory. Set KERAS_HOME to "
        "a folder that can be written to, or that holds the file as datasets/some.npz."
    )
