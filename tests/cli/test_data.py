"""`nnrun data`: lists, downloads, imports and verifies the files of data sets."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nnrun.cli.data import registered
from nnrun.data import published
from nnrun.data.published import (
    CIFAR10,
    CIFAR100,
    IMDB,
    IMDB_WORDS,
    MNIST,
    REUTERS,
    REUTERS_WORDS,
    File,
)

EMBEDDED = ["boston_housing", "breast_cancer", "diabetes", "digits", "iris", "mnist_5k", "wine"]


def content(file: File) -> bytes:
    """Short content of a published file, with its own hash."""
    return f"the bytes of {file.name}".encode()


def sha256(file: File) -> str:
    return f"sha256:{hashlib.sha256(content(file)).hexdigest()}"


@pytest.fixture
def home(tmp_path: Path, server: Any) -> Path:
    """A `KERAS_HOME` that does not exist yet, and a server that has every file."""
    for file in published.FILES:
        server.put(file.published_name, content(file))
    return tmp_path / "home"


@pytest.fixture
def environ(home: Path, server: Any) -> dict[str, str]:
    return {"KERAS_HOME": str(home), "NNRUN_MIRROR": server.address, "no_proxy": "127.0.0.1"}


@pytest.fixture
def data(here: Any, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `nnrun data` with every published file replaced by a short one."""
    files = (replace(f, hash=sha256(f), bytes=len(content(f))) for f in published.FILES)
    monkeypatch.setattr(published, "FILES", tuple(files))
    return lambda *arguments, **more: here("data", *arguments, env=environ | more)


@pytest.fixture
def place(home: Path) -> Callable[[File], Path]:
    """Writes a file, by default with the right content, into the cache."""

    def place(file: File, text: bytes | None = None) -> Path:
        path = home / "datasets" / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(file) if text is None else text)
        return path

    return place


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def cells(table: str) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines()]
    return {row[0]: row[1:] for row in rows if row}


def test_every_data_set_is_listed_with_rows_kind_size_and_place(here: Any, tmp_path: Path) -> None:
    """The published table of files, with an empty cache."""
    answer = here("data", "list", env={"KERAS_HOME": str(tmp_path / "none")})
    rows = cells(answer.stdout)

    assert (answer.returncode, answer.stderr, set(rows)) == (0, "", set(registered()))
    assert rows["iris"] == ["150", "table", "", "embedded"]
    assert rows["cifar10"] == ["60,000", "images", "170.5 MB", "not cached"]
    assert sorted(name for name, row in rows.items() if row[3] == "embedded") == EMBEDDED
    assert not (tmp_path / "none").exists()


def test_the_list_shows_where_files_are(data: Any, place: Any) -> None:
    """A single file by its path, several by their folder, a wrong or missing one by its own."""
    paths = [place(file) for file in (MNIST, REUTERS, REUTERS_WORDS, IMDB)]
    cifar = place(CIFAR10, b"")
    rows = cells(data("list", COLUMNS="300").stdout)

    assert [rows[name][3] for name in ("mnist", "reuters", "imdb", "cifar10", "cifar100")] == [
        f"cached: {paths[0]}",
        f"cached: {paths[1].parent}",
        f"not cached: {paths[3].with_name(IMDB_WORDS.name)}",
        f"another file: {cifar}",
        "not cached",
    ]


def test_the_list_as_json_has_every_file(data: Any, place: Any) -> None:
    path = place(IMDB)
    document = json.loads(data("list", "--json").stdout)
    [imdb] = [dataset for dataset in document["datasets"] if dataset["name"] == "imdb"]

    assert (document["schema_version"], document["folder"]) == (1, str(path.parent))
    assert (imdb["rows"], imdb["kind"], imdb["state"]) == (50_000, "texts", "partly cached")
    assert imdb["files"][0] == {
        "dataset": "imdb",
        "name": "imdb.npz",
        "path": str(path),
        "bytes": len(content(IMDB)),
        "state": "cached",
        "url": IMDB.url,
        "hash": sha256(IMDB),
    }


def test_missing_files_are_downloaded_once(data: Any, server: Any, home: Path) -> None:
    first, second = data("fetch", "mnist", "iris"), data("fetch", "mnist")
    path = f"{home}/datasets/mnist.npz"

    assert (first.returncode, first.stderr) == (second.returncode, second.stderr) == (0, "")
    assert first.stdout == (
        f"mnist: downloaded: {path}\n"
        "iris: comes with an installed library, there is nothing to download\n"
    )
    assert second.stdout == f"mnist: already cached, with the published hash: {path}\n"
    assert contents(home) == {"datasets/mnist.npz": content(MNIST)}
    assert server.asked == ["mnist.npz"]


def test_all_downloads_every_published_file(data: Any, home: Path) -> None:
    assert data("fetch", "--all").returncode == 0
    assert contents(home / "datasets") == {file.name: content(file) for file in published.FILES}


def test_a_failed_download_does_not_stop_the_others(data: Any, server: Any, home: Path) -> None:
    """One file is wrong, another incomplete: one error each, and exit code 1."""
    server.put("imdb.npz", b"please log in")
    server.put("reuters.npz", b"the", length=10)
    answer = data("fetch", "imdb", "reuters", "mnist")
    errors = answer.stderr.splitlines()

    assert (answer.returncode, list(contents(home))) == (1, ["datasets/mnist.npz"])
    assert [error.split(".npz")[0] for error in errors] == [
        f"error: imdb: {home}/datasets/imdb",
        f"error: reuters: {home}/datasets/reuters",
    ]
    assert all("run `nnrun data import FILE`" in error for error in errors)

    states = json.loads(data("fetch", "mnist", "imdb", "reuters", "--json").stdout)["files"]
    assert [(file["name"], file["state"]) for file in states] == [
        ("mnist.npz", "cached"),
        ("imdb.npz", "failed"),
        ("reuters.npz", "failed"),
    ]


def test_ctrl_c_during_a_download_leaves_nothing(
    environment: dict[str, str], environ: dict[str, str], server: Any, home: Path, wait_for: Any
) -> None:
    server.gate.clear()
    process = subprocess.Popen(
        [sys.executable, "-m", "nnrun", "data", "fetch", "mnist"],
        env=environment | environ,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    wait_for(lambda: server.asked == ["mnist.npz"])
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)

    assert (process.returncode, err, contents(home)) == (130, "", {})


@pytest.mark.parametrize("arguments", [[], ["mnist", "--all"]])
def test_fetch_needs_either_names_or_all(arguments: list[str], data: Any) -> None:
    answer = data("fetch", *arguments)

    assert answer.returncode == 2
    assert answer.stderr == "error: name data sets, or give --all; `nnrun data list` lists them\n"


@pytest.mark.parametrize("verb", ["fetch", "verify"])
def test_all_unknown_names_are_reported_before_any_work(verb: str, data: Any, server: Any) -> None:
    answer = data(verb, "mnist", "mnits", "fashion-mnist")

    assert (answer.returncode, server.asked) == (2, [])
    assert answer.stderr == (
        "error: there is no data set 'mnits'; did you mean 'mnist'?\n"
        "there is no data set 'fashion-mnist'; did you mean 'fashion_mnist'?\n"
    )


def test_a_file_is_imported_by_its_hash(data: Any, home: Path, tmp_path: Path) -> None:
    """An archive gets the name that Keras has for it."""
    download = tmp_path / "download(3)"
    download.write_bytes(content(CIFAR100))
    path = f"{home}/datasets/{CIFAR100.name}"
    answer = json.loads(data("import", download, "--json").stdout)
    again = data("import", download, "cifar100")

    assert contents(home / "datasets") == {CIFAR100.name: content(CIFAR100)}
    assert download.exists()
    assert answer["file"] == {
        "dataset": "cifar100",
        "name": CIFAR100.name,
        "path": path,
        "state": "imported",
    }
    assert again.stdout == f"cifar100: already cached, with the published hash: {path}\n"


def test_a_wrong_file_is_refused_with_the_expected_hashes(
    data: Any, home: Path, tmp_path: Path
) -> None:
    """Its content is that of another data set, and its name does not matter."""
    file = tmp_path / "reuters.npz"
    file.write_bytes(content(IMDB))
    answer = data("import", file, "reuters")

    assert (answer.returncode, answer.stdout, home.exists()) == (2, "", False)
    assert answer.stderr == (
        f"error: {file} is none of these files, so nothing was changed; it has 21 bytes and the "
        f"hash {sha256(IMDB)}\n"
        f"  reuters  reuters.npz              {sha256(REUTERS)}\n"
        f"  reuters  reuters_word_index.json  {sha256(REUTERS_WORDS)}\n"
    )
    (tmp_path / "data.csv").write_text("1,2\n")
    lines = data("import", tmp_path / "data.csv").stderr.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [file.dataset for file in published.FILES]


def test_an_embedded_data_set_takes_no_file(data: Any, tmp_path: Path) -> None:
    answer = data("import", tmp_path, "iris")

    assert answer.returncode == 2
    assert answer.stderr == (
        "error: iris comes with an installed library; there is nothing to import\n"
    )


def test_verify_reads_every_cached_file_and_changes_none(data: Any, place: Any, home: Path) -> None:
    """A right, a wrong, an incomplete and an unreadable file."""
    mnist, _, _, link = (
        place(MNIST),
        place(IMDB, content(IMDB)[::-1]),
        place(CIFAR10, b"short"),
        place(REUTERS),
    )
    only_right = data("verify", "mnist")
    link.unlink()
    link.symlink_to("nowhere")
    before = contents(home)
    answer = data("verify")
    imdb, reuters, right, cifar10 = answer.stdout.splitlines()

    assert (only_right.returncode, answer.returncode) == (0, 1)
    assert f"its hash is not {sha256(IMDB)}. It was left as it is. Move" in imdb
    assert reuters.startswith(f"reuters: {link} cannot be read: No such file or directory.")
    assert right == f"mnist: {mnist} is the published file"
    assert "it ends after 5 of 47 bytes, or is a different file. It was left" in cifar10
    assert (contents(home), link.is_symlink()) == (before, True)


def test_a_named_data_set_must_be_cached(data: Any, place: Any) -> None:
    path = place(IMDB, b"mine")
    missing = path.with_name(MNIST.name)
    answer = data("verify", "mnist", "iris")
    files = json.loads(data("verify", "mnist", "imdb", "--json").stdout)["files"]

    assert (answer.returncode, answer.stdout) == (
        1,
        f"mnist: {missing} is missing; `nnrun data fetch mnist` downloads it\n"
        "iris: comes with an installed library, there is no file to verify\n",
    )
    assert [(file["name"], file["state"]) for file in files] == [
        ("imdb.npz", "wrong"),
        ("imdb_word_index.json", "absent"),
        ("mnist.npz", "absent"),
    ]


def test_an_empty_cache_is_no_error(data: Any, home: Path) -> None:
    answer = data("verify")

    assert (answer.returncode, answer.stdout) == (0, "")
    assert answer.stderr == f"no data set has a file in {home}/datasets\n"


@pytest.mark.usefixtures("full_data")
def test_the_files_of_this_machine_are_the_published_ones(here: Any) -> None:
    verified, listed = here("data", "verify"), here("data", "list", "--json")
    states = {data["name"]: data["state"] for data in json.loads(listed.stdout)["datasets"]}

    assert verified.returncode == 0
    assert set(states.values()) <= {"embedded", "cached", "not cached"}
