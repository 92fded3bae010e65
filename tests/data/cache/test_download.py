"""The cache never changes a file of a person's, and says truly why a file cannot be had."""

from __future__ import annotations

import hashlib
import os
import resource
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nnrun.data import published as table
from nnrun.data.cache import fetch
from nnrun.data.published import File, folder
from nnrun.errors import DataError

BYTES = b"what was published"
HASH = "sha256:" + hashlib.sha256(BYTES).hexdigest()
URL = "https://data.invalid/some.npz"
FILE = File("some", "some.npz", URL, HASH, len(BYTES))


@pytest.fixture
def locked(target: Path) -> Path:
    """The folder of `FILE`, readable but not writable."""
    target.parent.chmod(0o500)
    if os.access(target.parent, os.W_OK):
        pytest.skip("root may write anywhere")
    return target.parent


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection leaves the machine: nobody listens at the proxy."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture
def published(server: Any) -> Callable[..., File]:
    """A function that publishes bytes on a server of this machine, as the file `FILE`."""

    def publish(body: bytes, *, length: int | None = None) -> File:
        server.put("some.npz", body, length=length)
        return replace(FILE, url=f"{server.address}/some.npz")

    return publish


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def message(file: File) -> str:
    with pytest.raises(DataError) as caught:
        fetch(file)
    return str(caught.value)


def advice() -> str:
    return (
        "Connect to the internet once and run again, or save the file from that address anywhere "
        "and run `nnrun data import FILE`, or set KERAS_HOME to a folder that holds it as "
        "datasets/some.npz."
    )


def elsewhere() -> str:
    return (
        "Set KERAS_HOME to a folder that can be written to, or that holds the file as "
        "datasets/some.npz."
    )


def test_without_keras_home_the_folder_is_that_of_keras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Keras has downloaded before is found."""
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert folder() == tmp_path / ".keras" / "datasets"


def test_a_file_with_the_published_hash_is_used(offline: None, target: Path) -> None:
    """No network is needed for what is there."""
    target.write_bytes(BYTES)

    assert fetch(FILE) == target


def test_reading_writes_nothing(offline: None, target: Path) -> None:
    """The folder may be on a medium that cannot be written."""
    target.write_bytes(BYTES)
    before = target.parent.stat().st_mtime_ns
    fetch(FILE)

    assert (names(target.parent), target.parent.stat().st_mtime_ns) == (["some.npz"], before)


def test_another_file_under_the_name_is_refused(offline: None, target: Path) -> None:
    """A changed file would silently give other rows, and a pickle could run anything."""
    target.write_bytes(b"what was publishe!")

    assert message(FILE) == (
        f"some: {target} is not the file that is published at {URL}: its hash is not {HASH}. "
        "It was left as it is. Move it away to have it downloaded, or set KERAS_HOME to a "
        "folder whose datasets/ holds the published file."
    )


def test_another_file_under_the_name_is_kept(published: Callable[..., File], target: Path) -> None:
    """Keras would download over it, and delete it where the download fails."""
    target.write_bytes(b"mine")
    message(published(BYTES))

    assert target.read_bytes() == b"mine"


def test_a_link_to_nowhere_is_kept(published: Callable[..., File], target: Path) -> None:
    """It may point to a disk that is not mounted today."""
    target.symlink_to(target.parent / "absent")

    assert (message(published(BYTES)), target.is_symlink()) == (
        f"some: {target} cannot be read: No such file or directory. It was left as it is. Make it "
        "readable, or move it away to have it downloaded.",
        True,
    )


def test_offline_the_error_says_what_to_do(offline: None, target: Path) -> None:
    """The data set, the file, the address and three ways out."""
    assert message(FILE) == (
        f"some: {target} is not there and could not be downloaded from {URL} (ProxyError). "
        + advice()
    )


def test_offline_nothing_is_left_behind(offline: None, target: Path) -> None:
    """Half a file under the final name would be taken for the file."""
    message(FILE)

    assert names(target.parent) == []


@pytest.mark.parametrize("file", table.FILES, ids=lambda file: file.name)
def test_every_published_file_is_asked_for_by_name(offline: None, file: File) -> None:
    """Each data set says which of its files is missing, and where it comes from."""
    assert message(file).startswith(
        f"{file.dataset}: {file.path} is not there and could not be downloaded from {file.url} "
    )


def test_a_download_arrives_under_its_name(published: Callable[..., File], target: Path) -> None:
    """The bytes are those of the server, and nothing else is in the folder."""
    fetch(published(BYTES))

    assert [(file.name, file.read_bytes()) for file in target.parent.iterdir()] == [
        ("some.npz", BYTES)
    ]


def test_a_download_makes_the_folder(published: Callable[..., File], home: Path) -> None:
    """On a new machine there is no `.keras`."""
    assert fetch(published(BYTES)) == home / "datasets" / "some.npz"


def test_a_download_with_another_hash_is_not_kept(
    published: Callable[..., File], target: Path
) -> None:
    """A login page of a hotel is not a data set."""
    file = published(b"please log in")

    assert message(file) == (
        f"some: {target} is not there, and the file from {file.url} was not kept, because its "
        f"hash is not {HASH}. {advice()}"
    )
    assert names(target.parent) == []


def test_the_answer_of_a_server_that_has_no_such_file_is_said(server: Any, target: Path) -> None:
    """It helps with a mistyped mirror."""
    file = replace(FILE, url=f"{server.address}/moved.npz")

    assert message(file) == (
        f"some: {target} is not there and could not be downloaded from {file.url} "
        f"(404 Not Found). {advice()}"
    )
    assert names(target.parent) == []


def test_a_mirror_is_asked_instead_of_the_publisher(
    server: Any, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put("some.npz", BYTES)
    monkeypatch.setenv("NNRUN_MIRROR", server.address)

    assert fetch(FILE).read_bytes() == BYTES


def test_what_a_mirror_answers_must_have_the_published_hash(
    server: Any, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a mirror needs no trust."""
    server.put("some.npz", b"what was publishe!")
    monkeypatch.setenv("NNRUN_MIRROR", server.address)

    assert f"its hash is not {HASH}" in message(FILE)
    assert names(target.parent) == []


def test_half_a_download_is_not_kept(published: Callable[..., File], target: Path) -> None:
    """The connection breaks after a few bytes."""
    file = published(BYTES[:5], length=len(BYTES))

    assert message(file) == (
        f"some: {target} is not there and could not be downloaded from {file.url} "
        f"(ChunkedEncodingError). {advice()}"
    )
    assert names(target.parent) == []


def test_a_full_disk_is_not_taken_for_a_missing_network(
    published: Callable[..., File], target: Path
) -> None:
    """The system lets this process write files of 100 kB at most."""
    file = published(bytes(300_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        said = message(file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert said == (
        f"some: {target} is not there and cannot be written: File too large. {elsewhere()}"
    )
    assert names(target.parent) == []


def test_a_folder_that_cannot_be_made_is_named(home: Path) -> None:
    """Keras would silently use a temporary folder instead."""
    home.write_text("a file where the folder should be")
    target = home / "datasets" / "some.npz"

    assert message(FILE) == (
        f"some: {target} is not there and cannot be written: Not a directory. {elsewhere()}"
    )


def test_a_folder_without_write_permission_is_named(locked: Path) -> None:
    """The same where the folder is there, but somebody else's."""
    target = locked / "some.npz"

    assert message(FILE) == (
        f"some: {target} is not there and cannot be written: Permission denied. {elsewhere()}"
    )


def test_a_folder_without_write_permission_is_read(target: Path, locked: Path) -> None:
    """A shared cache is often for reading only."""
    locked.chmod(0o700)
    target.write_bytes(BYTES)
    locked.chmod(0o500)

    assert fetch(FILE) == target


def test_a_download_shows_its_progress_on_a_terminal(
    published: Callable[..., File], monkeypatch: pytest.MonkeyPatch
) -> None:
    """170 MB take a while; the line is written over and ends at the sum."""
    reader, writer = os.openpty()
    body = bytes(1_500_000)
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        message(published(body))
        shown = os.read(reader, 100_000).decode()
    os.close(reader)

    assert shown.splitlines()[-1].endswith("some.npz: 1.5 of 1.5 MB")


def test_a_download_is_silent_elsewhere(
    published: Callable[..., File], capfd: pytest.CaptureFixture[str]
) -> None:
    """A log file is no place for a progress bar."""
    fetch(published(BYTES))

    assert capfd.readouterr() == ("", "")
