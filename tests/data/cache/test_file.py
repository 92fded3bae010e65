"""Published files are known by their checksum, and cached files never change."""

from __future__ import annotations

import hashlib
import os
import re
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nnrun.data import published
from nnrun.data.cache import check, fetch_bytes, identify, import_file
from nnrun.data.published import File, State
from nnrun.errors import DataError
from nnrun.spec.dataset import DATASETS

BYTES = b"what was published"
KEPT = "It was left as it is. Make it readable, or move it away to have it downloaded."


def message(function: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(DataError) as caught:
        function(*arguments)
    return str(caught.value)


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """The file as a browser saves it the second time."""
    path = tmp_path / "some (1).npz"
    path.write_bytes(BYTES)
    return path


@pytest.fixture
def other(file: File) -> File:
    """Another published file, with another kind of checksum."""
    return replace(
        file, dataset="other", name="other.gz", url="http://x/o.gz", hash="md5:0", bytes=1
    )


def test_the_table_of_published_files_is_consistent() -> None:
    """MD5 is accepted only for files that are not unpickled."""
    assert {file.dataset for file in published.FILES} < {*DATASETS}
    for facts in ({f.hash for f in published.FILES}, {f.name for f in published.FILES}):
        assert len(facts) == len(published.FILES)
    for file in published.FILES:
        assert re.fullmatch("sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", file.hash)
        assert file.algorithm == "sha256" or file.name.endswith((".json", "-ubyte.gz"))
    assert published.of("iris") == ()


def test_the_state_of_a_file_depends_on_its_size(file: File, target: Path) -> None:
    """170 MB are not read for a list."""
    states = [file.state]
    for content in (BYTES, BYTES[:5]):
        target.write_bytes(content)
        states.append(file.state)
    target.unlink()
    target.symlink_to("nowhere")
    states.append(file.state)

    assert states == [State.ABSENT, State.CACHED, State.OTHER, State.UNREADABLE]


def test_only_the_checksum_decides(file: File, target: Path) -> None:
    """The size is for messages, and may be wrong."""
    target.write_bytes(BYTES)

    check(replace(file, bytes=10**9))


def test_an_incomplete_file_is_reported_as_such(file: File, target: Path) -> None:
    target.write_bytes(BYTES[:5])

    assert message(check, file) == (
        f"some: {target} is not the file that is published at https://data.invalid/some.npz: it "
        "ends after 5 of 18 bytes, or is a different file. It was left as it is. Move it away "
        "to have it downloaded, or set KERAS_HOME to a folder whose datasets/ holds the published "
        "file."
    )


def test_a_folder_in_its_place_is_reported_and_kept(file: File, target: Path) -> None:
    target.mkdir()
    expected = f"some: {target} cannot be read: Is a directory. {KEPT}"

    assert message(check, file) == message(fetch_bytes, file) == expected


@pytest.mark.parametrize("read", [check, fetch_bytes])
def test_a_pipe_in_its_place_does_not_block(
    file: File, target: Path, read: Callable[[File], object]
) -> None:
    os.mkfifo(target)

    assert f"cannot be read: it is a pipe or a device. {KEPT}" in message(read, file)


@pytest.mark.parametrize("mirror", ["http://mirror.invalid/keras", "http://mirror.invalid/keras/"])
def test_a_mirror_has_the_file_by_its_published_name(
    file: File, mirror: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras's own name differs: `cifar-10-batches-py-target_archive`."""
    archive = replace(file, name="batches_archive", url="https://data.invalid/~a/batches.tar.gz")

    assert archive.address == archive.url
    monkeypatch.setenv("NNRUN_MIRROR", "")
    assert archive.address == archive.url
    monkeypatch.setenv("NNRUN_MIRROR", mirror)
    assert archive.address == "http://mirror.invalid/keras/batches.tar.gz"


def test_the_bytes_that_are_read_are_those_that_were_hashed(file: File, target: Path) -> None:
    """Some published files are pickles, so the file must not change between hash and use."""
    target.write_bytes(BYTES)
    content = fetch_bytes(file)
    target.write_bytes(b"another file")

    assert content.read() == BYTES
    assert "it ends after 12 of 18 bytes, or is a different file" in message(fetch_bytes, file)
    target.write_bytes(BYTES.upper())
    assert "its hash is not sha256:" in message(fetch_bytes, file)


def test_a_file_larger_than_the_published_one_is_not_read_into_memory(
    file: File, target: Path
) -> None:
    with target.open("wb") as stream:
        stream.truncate(50_000_000)

    tracemalloc.start()
    assert "is not the file that is published" in message(fetch_bytes, file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_a_file_is_identified_under_any_name(download: Path, file: File, other: File) -> None:
    assert identify(download, [other, file]) == file


def test_an_unknown_file_is_refused_with_all_candidates(
    download: Path, file: File, other: File
) -> None:
    """Only with checksums of the published kinds, which can be compared."""
    download.write_bytes(b"please log in")
    md5, sha256 = (hashlib.new(kind, b"please log in").hexdigest() for kind in ("md5", "sha256"))

    assert message(identify, download, [file, other]) == (
        f"{download} is none of these files, so nothing was changed; it has 13 bytes and the hash "
        f"md5:{md5} or sha256:{sha256}\n"
        f"  some   some.npz  {file.hash}\n"
        "  other  o.gz      md5:0"
    )
    assert "sha256" not in message(identify, download, [other])


@pytest.mark.parametrize(
    ("name", "reason"), [("absent", "No such file or directory"), ("", "Is a directory")]
)
def test_a_file_that_cannot_be_read_is_reported(
    name: str, reason: str, tmp_path: Path, file: File
) -> None:
    path = tmp_path / name

    assert message(identify, path, [file]) == f"{path} cannot be read: {reason}"


def test_an_import_copies_the_file_once(download: Path, file: File) -> None:
    assert import_file(download, file)
    assert [(path, path.read_bytes()) for path in file.path.parent.iterdir()] == [
        (file.path, BYTES)
    ]
    assert download.read_bytes() == BYTES
    before = file.path.stat().st_mtime_ns

    assert not import_file(download, file)
    assert file.path.stat().st_mtime_ns == before


def test_an_import_does_not_replace_another_file(download: Path, file: File, target: Path) -> None:
    target.write_bytes(b"made by myself, so")

    assert "It was left as it is" in message(import_file, download, file)
    assert target.read_bytes() == b"made by myself, so"


def test_a_file_that_changes_during_the_import_is_not_kept(
    download: Path, file: File, target: Path
) -> None:
    download.write_bytes(BYTES + b" and more")

    assert message(import_file, download, file) == (
        f"some: {file.path} is not there, and the file from {download} was not kept, because its "
        f"hash is not {file.hash}. Connect to the internet once and run again, or save the file "
        "from that address anywhere and run `nnrun data import FILE`, or set KERAS_HOME to a "
        "folder that holds it as datasets/some.npz."
    )
    assert list(target.parent.iterdir()) == []
