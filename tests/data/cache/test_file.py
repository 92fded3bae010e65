"""The state of a file in the cache, by its size and by its checksum."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nnrun.data.cache import check, fetch_bytes
from nnrun.data.published import File, State
from nnrun.errors import DataError

BYTES = b"what was published"


def fault(file: File) -> str:
    with pytest.raises(DataError) as caught:
        check(file)
    return str(caught.value)


def test_a_file_has_one_of_four_states(file: File, target: Path) -> None:
    """By size alone: 170 MB are not read for a list."""
    seen = [file.state]
    target.write_bytes(BYTES)
    seen.append(file.state)
    target.write_bytes(BYTES[:5])
    seen.append(file.state)
    target.unlink()
    target.symlink_to("nowhere")
    seen.append(file.state)

    assert seen == [State.ABSENT, State.CACHED, State.OTHER, State.UNREADABLE]


def test_the_published_file_is_taken(file: File, target: Path) -> None:
    target.write_bytes(BYTES)

    check(file)


def test_only_the_hash_decides(file: File, target: Path) -> None:
    """The size is for people, and may be stated wrongly."""
    target.write_bytes(BYTES)

    check(replace(file, bytes=10**9))


def test_half_a_file_is_told_from_another(file: File, target: Path) -> None:
    """Some program's broken download is the most frequent reason."""
    target.write_bytes(BYTES[:5])

    assert fault(file) == (
        f"some: {target} is not the file that is published at https://data.invalid/some.npz: it "
        "ends after 5 of 18 bytes, or is a different file. It was left as it is. Move it away "
        "to have it downloaded, or set KERAS_HOME to a folder whose datasets/ holds the published "
        "file."
    )


def test_a_folder_in_its_place_is_said_and_kept(file: File, target: Path) -> None:
    target.mkdir()

    assert fault(file) == (
        f"some: {target} cannot be read: Is a directory. It was left as it is. Make it readable, "
        "or move it away to have it downloaded."
    )


@pytest.mark.parametrize("mirror", ["http://mirror.invalid/keras", "http://mirror.invalid/keras/"])
def test_a_mirror_has_the_file_by_its_published_name(
    file: File, mirror: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras's own name for it is another one: `cifar-10-batches-py-target_archive`."""
    monkeypatch.setenv("NNRUN_MIRROR", mirror)
    archive = replace(file, name="batches_archive", url="https://data.invalid/~a/batches.tar.gz")

    assert archive.address == "http://mirror.invalid/keras/batches.tar.gz"


@pytest.mark.parametrize("mirror", [None, ""])
def test_without_a_mirror_the_publisher_is_asked(
    file: File, mirror: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mirror is not None:
        monkeypatch.setenv("NNRUN_MIRROR", mirror)

    assert file.address == file.url


def test_the_bytes_that_are_read_are_those_that_were_hashed(file: File, target: Path) -> None:
    """Some published files are pickles: another must not come between the hash and the reading."""
    target.write_bytes(BYTES)
    opened = fetch_bytes(file)
    target.write_bytes(b"another file")

    assert opened.read() == BYTES


def test_bytes_of_another_file_are_not_handed_on(file: File, target: Path) -> None:
    target.write_bytes(b"another file")

    with pytest.raises(DataError, match="it ends after 12 of 18 bytes, or is a different file"):
        fetch_bytes(file)
    target.write_bytes(BYTES.upper())
    with pytest.raises(DataError, match="its hash is not sha256:"):
        fetch_bytes(file)
    target.unlink()
    target.mkdir()
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        fetch_bytes(file)


@pytest.mark.parametrize("judge", [check, fetch_bytes])
def test_a_pipe_in_its_place_is_not_waited_for(
    file: File, target: Path, judge: Callable[[File], object]
) -> None:
    os.mkfifo(target)

    with pytest.raises(DataError, match=r"cannot be read: It is a pipe or a device\. It was left"):
        judge(file)


def test_what_is_larger_than_the_published_file_does_not_fill_the_memory(
    file: File, target: Path
) -> None:
    """As long as it is no published one."""
    with target.open("wb") as stream:
        stream.truncate(50_000_000)

    tracemalloc.start()
    with pytest.raises(DataError, match="is not the file that is published"):
        fetch_bytes(file)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10_000_000
