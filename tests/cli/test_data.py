"""`nnrun data`: what files there are, and how to get those that are not."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nnrun.cli.data import registered
from nnrun.data import published
from nnrun.data.published import File

# The command with every published file replaced by a short one, which says whose place it takes.
PROGRAM = """
import hashlib
from dataclasses import replace
from nnrun.data import published
from nnrun.cli.entry import main

def short(file):
    content = f"the bytes of {file.name}".encode()
    found = "sha256:" + hashlib.sha256(content).hexdigest()
    return replace(file, hash=found, bytes=len(content))

published.FILES = tuple(map(short, published.FILES))
main()
"""
EMBEDDED = ["boston_housing", "breast_cancer", "diabetes", "digits", "iris", "mnist_5k", "wine"]


def content(file: File) -> bytes:
    return f"the bytes of {file.name}".encode()


def sha256(file: File) -> str:
    return hashlib.sha256(content(file)).hexdigest()


@pytest.fixture
def home(tmp_path: Path, server: Any) -> Path:
    """A `KERAS_HOME` that does not exist yet, and a server that has every file."""
    for file in published.FILES:
        server.put(file.published_name, content(file))
    return tmp_path / "home"


@pytest.fixture
def surroundings(environment: dict[str, str], home: Path, server: Any) -> dict[str, str]:
    """The environment of a command that finds its files on the server of the test."""
    ours = {"KERAS_HOME": str(home), "NNRUN_MIRROR": server.address, "no_proxy": "127.0.0.1"}
    return environment | ours


@pytest.fixture
def data(surroundings: dict[str, str]) -> Callable[..., Any]:
    """Runs `nnrun data` with short files; further variables are those of its environment."""

    def run(*arguments: object, env: Mapping[str, str] | None = None) -> Any:
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, "data", *map(str, arguments)],
            capture_output=True,
            text=True,
            env=surroundings | dict(env or {}),
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def place(home: Path) -> Callable[[File], Path]:
    """Where a file belongs, its folder made."""

    def place(file: File) -> Path:
        path = home / "datasets" / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    return place


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def cells(table: str) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines()]
    return {row[0]: row[1:] for row in rows if row}


# list


def test_every_data_set_is_listed_with_rows_kind_size_and_place(
    nnrun: Callable[..., Any], tmp_path: Path
) -> None:
    """The true table of files, in a home that has none of them."""
    answer = nnrun("data", "list", env={"KERAS_HOME": str(tmp_path / "none")})
    rows = cells(answer.stdout)

    assert (answer.returncode, answer.stderr, set(rows)) == (0, "", set(registered()))
    assert rows["iris"] == ["150", "table", "", "embedded"]
    assert rows["cifar10"] == ["60,000", "images", "170.5 MB", "not cached"]
    assert sorted(name for name, row in rows.items() if row[3] == "embedded") == EMBEDDED
    assert not (tmp_path / "none").exists()


def test_where_a_file_is_stands_in_the_list(
    data: Callable[..., Any], place: Callable[[File], Path]
) -> None:
    """A single file by its path, several by their folder, a wrong or missing one by its own."""
    for file in (published.MNIST, *published.of("reuters"), published.IMDB):
        place(file).write_bytes(content(file))
    cifar = place(published.CIFAR10)
    cifar.write_bytes(b"")
    rows = cells(data("list", env={"COLUMNS": "300"}).stdout)

    assert [rows[name][3] for name in ("mnist", "reuters", "imdb", "cifar10", "cifar100")] == [
        f"cached: {place(published.MNIST)}",
        f"cached: {place(published.REUTERS).parent}",
        f"not cached: {place(published.IMDB_WORDS)}",
        f"another file: {cifar}",
        "not cached",
    ]


def test_json_gives_every_file(data: Callable[..., Any], place: Callable[[File], Path]) -> None:
    path = place(published.IMDB)
    path.write_bytes(content(published.IMDB))
    document = json.loads(data("list", "--json").stdout)
    [imdb] = [each for each in document["datasets"] if each["name"] == "imdb"]

    assert (document["schema_version"], document["folder"]) == (1, str(path.parent))
    assert (imdb["rows"], imdb["kind"], imdb["state"]) == (50_000, "texts", "partly cached")
    assert imdb["files"][0] == {
        "dataset": "imdb",
        "name": "imdb.npz",
        "path": str(path),
        "bytes": len(content(published.IMDB)),
        "state": "cached",
        "url": published.IMDB.url,
        "hash": f"sha256:{sha256(published.IMDB)}",
    }


def test_a_list_loads_nothing_heavy(probed: Callable[..., Any], tmp_path: Path) -> None:
    """Nor does it read a file, so it is there at once."""
    answer, loaded = probed("data", "list", cwd=tmp_path)

    assert (answer.returncode, loaded) == (0, set())


# fetch


def test_what_is_not_there_is_downloaded(data: Callable[..., Any], home: Path) -> None:
    answer = data("fetch", "mnist", "iris")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == (
        f"mnist: downloaded: {home}/datasets/mnist.npz\n"
        "iris: comes with an installed library, there is nothing to download\n"
    )
    assert everything(home) == {"datasets/mnist.npz": content(published.MNIST)}


def test_all_is_every_published_file(data: Callable[..., Any], home: Path) -> None:
    answer = data("fetch", "--all")

    assert answer.returncode == 0
    assert everything(home / "datasets") == {file.name: content(file) for file in published.FILES}


def test_what_is_there_is_not_downloaded_again(
    data: Callable[..., Any], server: Any, home: Path
) -> None:
    data("fetch", "mnist")
    answer = data("fetch", "mnist")

    assert (answer.returncode, server.asked) == (0, ["mnist.npz"])
    assert answer.stdout == (
        f"mnist: there already, with the published hash: {home}/datasets/mnist.npz\n"
    )


def test_what_cannot_be_had_does_not_keep_the_others_back(
    data: Callable[..., Any], server: Any, home: Path
) -> None:
    """A wrong answer for one, one that breaks off for another: one error each, and exit code 1."""
    server.put("imdb.npz", b"please log in")
    server.put("reuters.npz", b"the", length=10)
    answer = data("fetch", "imdb", "reuters", "mnist")
    errors = answer.stderr.splitlines()

    assert (answer.returncode, list(everything(home))) == (1, ["datasets/mnist.npz"])
    assert [error.split(" is not there")[0] for error in errors] == [
        f"error: imdb: {home}/datasets/imdb.npz",
        f"error: reuters: {home}/datasets/reuters.npz",
    ]
    assert all("run `nnrun data import FILE`" in error for error in errors)


def test_offline_every_data_set_says_what_to_do(data: Callable[..., Any], home: Path) -> None:
    """Nobody listens at port 9."""
    answer = data("fetch", "mnist", "cifar10", env={"NNRUN_MIRROR": "http://127.0.0.1:9"})

    assert (answer.returncode, answer.stdout, everything(home)) == (1, "", {})
    assert answer.stderr.splitlines()[1] == (
        f"error: cifar10: {home}/datasets/cifar-10-batches-py-target_archive is not there and "
        "could not be downloaded from http://127.0.0.1:9/cifar-10-python.tar.gz "
        "(ConnectionError). Connect to the internet once and run again, or save the file from "
        "that address anywhere and run `nnrun data import FILE`, or set KERAS_HOME to a folder "
        "that holds it as datasets/cifar-10-batches-py-target_archive."
    )


def test_a_program_is_told_what_happened_to_each_file(
    data: Callable[..., Any], server: Any, home: Path
) -> None:
    server.put("imdb.npz", b"please log in")
    data("fetch", "mnist")
    answer = data("fetch", "mnist", "reuters", "imdb", "--json")
    states = {each["name"]: each["state"] for each in json.loads(answer.stdout)["files"]}

    assert states == {
        "mnist.npz": "cached",
        "reuters.npz": "downloaded",
        "reuters_word_index.json": "downloaded",
        "imdb.npz": "failed",
    }


def test_a_wrong_file_in_the_place_is_kept(
    data: Callable[..., Any], place: Callable[[File], Path]
) -> None:
    path = place(published.MNIST)
    path.write_bytes(b"mine")
    answer = data("fetch", "mnist")

    assert (answer.returncode, path.read_bytes()) == (1, b"mine")
    assert "It was left as it is. Move it away to have it downloaded" in answer.stderr


def test_ctrl_c_during_a_download_leaves_nothing(
    surroundings: dict[str, str],
    server: Any,
    home: Path,
    wait_for: Callable[[Callable[[], bool]], None],
) -> None:
    server.gate.clear()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "data", "fetch", "mnist"],
        env=surroundings,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    wait_for(lambda: server.asked == ["mnist.npz"])
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)

    assert (process.returncode, err, everything(home)) == (130, "", {})


@pytest.mark.parametrize("arguments", [[], ["mnist", "--all"]])
def test_a_fetch_names_data_sets_or_takes_all(
    arguments: list[str], data: Callable[..., Any]
) -> None:
    answer = data("fetch", *arguments)

    assert (answer.returncode, answer.stderr) == (
        2,
        "error: name data sets, or give --all; `nnrun data list` lists them\n",
    )


@pytest.mark.parametrize("verb", ["fetch", "verify"])
def test_every_unknown_name_is_said_before_anything_is_done(
    verb: str, data: Callable[..., Any], server: Any
) -> None:
    answer = data(verb, "mnist", "mnits", "fashion-mnist")

    assert (answer.returncode, server.asked) == (2, [])
    assert answer.stderr == (
        "error: there is no data set 'mnits'; did you mean 'mnist'?\n"
        "there is no data set 'fashion-mnist'; did you mean 'fashion_mnist'?\n"
    )


# import


def test_a_file_is_imported_by_its_hash(
    data: Callable[..., Any], home: Path, tmp_path: Path
) -> None:
    """An archive gets the name that Keras has for it."""
    mine = tmp_path / "download(3)"
    mine.write_bytes(content(published.CIFAR100))
    answer = data("import", mine)
    name = f"datasets/{published.CIFAR100.name}"

    assert (answer.returncode, answer.stdout) == (0, f"cifar100: imported as {home}/{name}\n")
    assert everything(home) == {name: content(published.CIFAR100)}
    assert mine.exists()
    assert data("import", mine, "cifar100").stdout == (
        f"cifar100: there already, with the published hash: {home}/{name}\n"
    )


def test_a_program_is_told_what_was_imported(
    data: Callable[..., Any], home: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mnist"
    mine.write_bytes(content(published.MNIST))

    assert json.loads(data("import", mine, "--json").stdout) == {
        "schema_version": 1,
        "file": {
            "dataset": "mnist",
            "name": "mnist.npz",
            "path": f"{home}/datasets/mnist.npz",
            "state": "imported",
        },
    }


def test_a_wrong_file_is_refused_with_those_of_the_data_set(
    data: Callable[..., Any], home: Path, tmp_path: Path
) -> None:
    """It is one of another data set here, which its name does not change."""
    mine = tmp_path / "reuters.npz"
    mine.write_bytes(content(published.IMDB))
    answer = data("import", mine, "reuters")

    assert (answer.returncode, answer.stdout, home.exists()) == (2, "", False)
    assert answer.stderr == (
        f"error: {mine} is none of these files, so nothing was changed; it has 21 bytes and the "
        f"hash sha256:{sha256(published.IMDB)}\n"
        f"  reuters  reuters.npz              sha256:{sha256(published.REUTERS)}\n"
        f"  reuters  reuters_word_index.json  sha256:{sha256(published.REUTERS_WORDS)}\n"
    )


def test_without_a_name_all_published_files_are_offered(
    data: Callable[..., Any], home: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "data.csv"
    mine.write_text("1,2\n")
    answer = data("import", mine)

    assert (answer.returncode, home.exists()) == (2, False)
    assert [line.split()[:2] for line in answer.stderr.splitlines()[1:]] == [
        [file.dataset, file.published_name] for file in published.FILES
    ]


def test_an_embedded_data_set_takes_no_file(data: Callable[..., Any], tmp_path: Path) -> None:
    answer = data("import", tmp_path, "iris")

    assert (answer.returncode, answer.stderr) == (
        2,
        "error: iris comes with an installed library; there is nothing to import\n",
    )


# verify


def test_every_cached_file_is_verified(
    data: Callable[..., Any], place: Callable[[File], Path]
) -> None:
    """Those that are not there are no fault, unless they are named."""
    path = place(published.MNIST)
    path.write_bytes(content(published.MNIST))
    answer = data("verify")

    assert (answer.returncode, answer.stdout) == (0, f"mnist: {path} is the published file\n")


def test_a_wrong_a_short_and_an_unreadable_file_are_said_and_kept(
    data: Callable[..., Any], place: Callable[[File], Path], home: Path
) -> None:
    right, wrong, short, unreadable = map(
        place, (published.MNIST, published.IMDB, published.CIFAR10, published.REUTERS)
    )
    right.write_bytes(content(published.MNIST))
    wrong.write_bytes(content(published.IMDB)[::-1])
    short.write_bytes(content(published.CIFAR10)[:5])
    unreadable.symlink_to("nowhere")
    before = everything(home)
    answer = data("verify")
    imdb, reuters, mnist, cifar10 = answer.stdout.splitlines()

    assert answer.returncode == 1
    assert f"its hash is not sha256:{sha256(published.IMDB)}. It was left as it is. Move" in imdb
    assert reuters.startswith(f"reuters: {unreadable} cannot be read: No such file or directory.")
    assert mnist == f"mnist: {right} is the published file"
    assert "it ends after 5 of 47 bytes, or is a different file. It was left" in cifar10
    assert (everything(home), unreadable.is_symlink()) == (before, True)


def test_a_named_data_set_must_be_there(data: Callable[..., Any], home: Path) -> None:
    """A script that asks for it wants to use it."""
    answer = data("verify", "mnist", "iris")

    assert (answer.returncode, answer.stdout) == (
        1,
        f"mnist: {home}/datasets/mnist.npz is not there; `nnrun data fetch mnist` downloads it\n"
        "iris: comes with an installed library, there is no file to verify\n",
    )


def test_an_empty_cache_is_no_fault(data: Callable[..., Any], home: Path) -> None:
    answer = data("verify")

    assert (answer.returncode, answer.stdout, answer.stderr) == (
        0,
        "",
        f"no data set has a file in {home}/datasets\n",
    )


def test_a_program_is_told_what_each_file_is(
    data: Callable[..., Any], place: Callable[[File], Path]
) -> None:
    place(published.MNIST).write_bytes(content(published.MNIST))
    place(published.IMDB).write_bytes(b"mine")
    answer = data("verify", "mnist", "imdb", "--json")

    assert [(each["name"], each["state"]) for each in json.loads(answer.stdout)["files"]] == [
        ("imdb.npz", "wrong"),
        ("imdb_word_index.json", "absent"),
        ("mnist.npz", "right"),
    ]


@pytest.mark.usefixtures("full_data")
def test_the_files_at_hand_are_the_published_ones(nnrun: Callable[..., Any]) -> None:
    """And as large as the table says."""
    verified, listed = nnrun("data", "verify"), nnrun("data", "list", "--json")
    states = {each["name"]: each["state"] for each in json.loads(listed.stdout)["datasets"]}

    assert verified.returncode == 0
    assert set(states.values()) <= {"embedded", "cached", "not cached"}
