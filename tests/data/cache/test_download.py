"""A download arrives complete or not at all, and errors explain what to do."""

from __future__ import annotations

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
ADVICE = (
    "Connect to the internet once and run again, or save the file from that address anywhere "
    "and run `nnrun data import FILE`, or set KERAS_HOME to a folder that holds it as "
    "datasets/some.npz."
)
ELSEWHERE = (
    "Set KERAS_HOME to a folder that can be written to, or that holds the file as "
    "datasets/some.npz."
)


@pytest.fixture
def locked(target: Path) -> Path:
    """The folder of `file`, readable but not writable."""
    target.parent.chmod(0o500)
    if os.access(target.parent, os.W_OK):
        pytest.skip("root may write anywhere")
    return target.parent


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection leaves the machine: the proxy does not exist."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture
def publish(server: Any, file: File) -> Callable[..., File]:
    """Publishes bytes on a local server, as `file`."""

    def publish(body: bytes, *, length: int | None = None) -> File:
        server.put("some.npz", body, length=length)
        return replace(file, url=f"{server.address}/some.npz")

    return publish


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def message(file: File) -> str:
    with pytest.raises(DataError) as caught:
        fetch(file)
    return str(caught.value)


def test_the_default_folder_is_that_of_keras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert folder() == tmp_path / ".keras" / "datasets"


def test_a_cached_file_needs_no_network_and_no_writable_folder(
    offline: None, target: Path, file: File
) -> None:
    target.write_bytes(BYTES)
    before = target.parent.stat().st_mtime_ns

    assert fetch(file) == target
    assert (names(target.parent), target.parent.stat().st_mtime_ns) == (["some.npz"], before)


def test_another_file_under_the_name_is_refused_and_kept(
    publish: Callable[..., File], target: Path
) -> None:
    """Keras would replace it, and delete it if the download fails."""
    target.write_bytes(b"what was publishe!")
    file = publish(BYTES)

    assert message(file) == (
        f"some: {target} is not the file that is published at {file.url}: its hash is not "
        f"{file.hash}. It was left as it is. Move it away to have it downloaded, or set "
        "KERAS_HOME to a folder whose datasets/ holds the published file."
    )
    assert target.read_bytes() == b"what was publishe!"


def test_a_dangling_link_is_kept(publish: Callable[..., File], target: Path) -> None:
    """It may point to a disk that is not mounted."""
    target.symlink_to(target.parent / "absent")

    assert f"some: {target} cannot be read: No such file" in message(publish(BYTES))
    assert target.is_symlink()


@pytest.mark.parametrize("file", table.FILES[::4], ids=lambda file: file.name)
def test_offline_the_error_names_file_and_address_and_leaves_nothing(
    offline: None, file: File
) -> None:
    text = message(file)

    assert text.startswith(
        f"{file.dataset}: {file.path} is not there and could not be downloaded from {file.url} "
        "(ProxyError). Connect to the internet once and run again, "
    )
    assert names(file.path.parent) == []


def test_a_download_creates_the_folder_and_one_file(
    publish: Callable[..., File], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a progress bar, which does not belong in a log file."""
    target = home / "datasets" / "some.npz"

    assert fetch(publish(BYTES)) == target
    assert [(path, path.read_bytes()) for path in target.parent.iterdir()] == [(target, BYTES)]
    assert capfd.readouterr() == ("", "")


def test_a_download_with_another_checksum_is_not_kept(
    publish: Callable[..., File], target: Path
) -> None:
    """For example a login page."""
    file = publish(b"please log in")

    assert message(file) == (
        f"some: {target} is not there, and the file from {file.url} was not kept, because its "
        f"hash is not {file.hash}. {ADVICE}"
    )
    assert names(target.parent) == []


def test_the_answer_of_the_server_is_reported(server: Any, target: Path, file: File) -> None:
    """It helps with a mistyped mirror."""
    moved = replace(file, url=f"{server.address}/moved.npz")

    assert message(moved) == (
        f"some: {target} is not there and could not be downloaded from {moved.url} "
        f"(404 Not Found). {ADVICE}"
    )
    assert names(target.parent) == []


def test_a_mirror_replaces_the_publisher_but_not_the_checksum(
    server: Any, target: Path, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNRUN_MIRROR", server.address)
    server.put("some.npz", b"what was publishe!")
    assert f"its hash is not {file.hash}" in message(file)
    assert names(target.parent) == []

    server.put("some.npz", BYTES)
    assert fetch(file).read_bytes() == BYTES


def test_an_interrupted_download_is_not_kept(publish: Callable[..., File], target: Path) -> None:
    file = publish(BYTES[:5], length=len(BYTES))

    assert message(file) == (
        f"some: {target} is not there and could not be downloaded from {file.url} "
        f"(ChunkedEncodingError). {ADVICE}"
    )
    assert names(target.parent) == []


def test_a_full_disk_is_not_reported_as_a_missing_network(
    publish: Callable[..., File], target: Path
) -> None:
    """Here files are limited to 100 kB."""
    file = publish(bytes(300_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        text = message(file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert text == (
        f"some: {target} is not there and cannot be written: File too large. {ELSEWHERE}"
    )
    assert names(target.parent) == []


def test_a_folder_that_cannot_be_created_is_named(home: Path, file: File) -> None:
    """Keras would silently use a temporary folder instead."""
    home.write_text("a file instead of the folder")

    assert message(file) == (
        f"some: {file.path} is not there and cannot be written: Not a directory. {ELSEWHERE}"
    )


def test_a_folder_without_write_permission_is_read_but_not_written(
    target: Path, locked: Path, file: File
) -> None:
    assert message(file) == (
        f"some: {target} is not there and cannot be written: Permission denied. {ELSEWHERE}"
    )
    locked.chmod(0o700)
    target.write_bytes(BYTES)
    locked.chmod(0o500)
    assert fetch(file) == target


def test_a_download_shows_its_progress_on_a_terminal(
    publish: Callable[..., File], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.openpty()
    body = bytes(1_500_000)
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        message(publish(body))
        shown = os.read(reader, 100_000).decode()
    os.close(reader)

    assert shown.splitlines()[-1].endswith("some.npz: 1.5 of 1.5 MB")
