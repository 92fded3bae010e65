"""Some published files are pickles, which can run code: only files with the published hash load."""

from __future__ import annotations

import ast
import inspect
import io
import json
import os
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnrun
from nnrun.data import datasets, published
from nnrun.errors import DataError
from nnrun.spec import dataset as specs

PICKLES = {"imdb": specs.Imdb, "reuters": specs.Reuters, "cifar10": specs.Cifar10}
PICKLES |= {"cifar100": specs.Cifar100}

UNPICKLING = frozenset(("pickle", "marshal", "shelve", "joblib", "dill"))


class Planted:
    """Makes a folder as soon as it is read."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("canary",)


def planted(name: str) -> bytes:
    """A file as it is published, but with another pickle in it."""
    out = io.BytesIO()
    if name.startswith("cifar"):
        body = pickle.dumps(Planted())
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            for folder, part in (
                ("cifar-10-batches-py", "data_batch_1"),
                ("cifar-100-python", "train"),
            ):
                member = tarfile.TarInfo(f"{folder}/{part}")
                member.size = len(body)
                tar.addfile(member, io.BytesIO(body))
    else:
        rows = np.array([Planted()], dtype=object)
        np.savez(out, x=rows, y=rows, x_train=rows, y_train=rows, x_test=rows, y_test=rows)
    return out.getvalue()


@pytest.mark.parametrize("name", PICKLES)
def test_a_planted_pickle_is_not_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for file in published.of(name):
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.write_bytes(planted(name))

    with pytest.raises(DataError, match="is not the file that is published at"):
        datasets.load(PICKLES[name](name=name))
    assert not Path("canary").exists()


OPENED = """
import json, sys
from nnrun.data import datasets
from nnrun.spec.dataset import Imdb, Reuters

opened = []
sys.addaudithook(lambda event, what: opened.append(str(what[0])) if event == "open" else None)
datasets.load({"imdb": Imdb, "reuters": Reuters}[sys.argv[1]](name=sys.argv[1]))
print(json.dumps(opened))
"""


@pytest.mark.usefixtures("full_data")
@pytest.mark.parametrize("name", ["reuters", pytest.param("imdb", marks=pytest.mark.slow)])
def test_an_unpickled_file_is_opened_once(name: str) -> None:
    """A file that is opened again after hashing may have changed."""
    done = subprocess.run(
        [sys.executable, "-c", OPENED, name], capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout).count(str(published.of(name)[0].path)) == 1


def test_pickles_are_only_read_from_bytes_that_were_hashed() -> None:
    """Only two modules unpickle, and each calls `fetch_bytes`."""
    root = Path(inspect.getfile(nnrun)).parent
    found = {
        path.relative_to(root).as_posix(): path.read_text("utf-8")
        for path in root.rglob("*.py")
        if _unpickles(ast.parse(path.read_text("utf-8")))
    }

    assert sorted(found) == ["data/datasets/cifar.py", "data/datasets/imdb_reuters.py"]
    assert all("fetch_bytes(" in text for text in found.values())


def _unpickles(module: ast.Module) -> bool:
    for node in ast.walk(module):
        match node:
            case ast.Import(names) if any(name.name in UNPICKLING for name in names):
                return True
            case ast.keyword("allow_pickle", value) if ast.unparse(value) != "False":
                return True
    return False
