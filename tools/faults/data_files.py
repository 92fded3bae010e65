"""Changes data files at random and reads them: each is read or refused in one sentence.

    python tools/faults/data_files.py --count 10000 --seed 0

Tables, arrays, images and texts are changed in bytes, encodings, sizes and types. Each file is
checked, loaded and prepared in this process; `--train 500` also trains on every 500th for one
epoch, predicts and evaluates, by the command line. Prints counts, the slowest file in seconds and
the peak memory in megabytes as JSON. A file that ends with another exception, or takes too long,
stays in the folder that is printed; `--only NUMBER` repeats a single one.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from fuzzing import megabytes
from PIL import Image

from nnrun import check
from nnrun.errors import DataError, NnrunError
from nnrun.experiment.fold import load_and_prepare
from nnrun.runs import layout
from nnrun.spec.loading import load

LONGEST = 5.0  # seconds of this process that one file may take
ROWS = 60
ODD = (
    *("", " ", "?", "NA", "nan", "-inf", "1e999", "1,5", "45%", "TRUE", "true", "2026-01-01", "$3"),
    *("9" * 400, "9" * 5000, "1_000", "٣", "0x1f", '"', '"""', "'", "\\", ",", ";", "\t", "\n", "\r", "\r\n"),
    *("\x00", "\ufeff", "\u2028", "\x1a", "漢字", "x" * 140_000, '"' + "a\n" * 500, "," * 3000, "=1+1", "#"),
    *("1700000000", "4294967296", "18446744073709551616", "-1", "0.1", "1e-400", "[1, 2]", "None"),
)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """A kind of data.

    Args:
        dataset: its arguments in a spec.
        content: its files by name.
        changed: the file to change.
    """

    dataset: Mapping[str, Any]
    content: Mapping[str, bytes]
    changed: str


def _table(rng: np.random.Generator) -> pd.DataFrame:
    words = {"colour": rng.choice(["red", "green", "blue"], ROWS), "alive": rng.random(ROWS) > 0.5}
    numbers = {"size": rng.normal(0, 9, ROWS).round(3), "count": rng.integers(0, 9, ROWS)}
    days = {"day": pd.date_range("2026-01-01", periods=ROWS)}
    return pd.DataFrame({**numbers, **words, **days, "kind": [*"ab"] * (ROWS // 2)})


def _archive(save: Callable[..., None], **arrays: Any) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def _image(rng: np.random.Generator, form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (9, 7, 3), np.uint8)).save(file, form)
    return file.getvalue()


def subjects() -> list[Subject]:
    """All kinds of data, always the same."""
    rng = np.random.default_rng(0)
    table = _table(rng)
    rows = table.drop(columns="day").to_csv(index=False).encode()
    parquet = io.BytesIO()
    table.to_parquet(parquet)
    x, y = rng.random((ROWS, 4)), np.arange(ROWS) % 2
    texts = "text,label\n" + "".join(f'"a {word}, fine film",{word}\n' for word in table["colour"])
    files = {f"{name}/{row}.txt": b"a film of rare beauty" for name in "ab" for row in range(9)}
    csv = {"name": "csv", "target": "kind"}
    found = [
        Subject({**csv, "path": "d.csv"}, {"d.csv": rows}, "d.csv"),
        Subject({**csv, "path": "d.csv.gz"}, {"d.csv.gz": gzip.compress(rows)}, "d.csv.gz"),
        Subject({**csv, "path": "d.csv", "categories": "codes", "features": ["colour", "alive"]},
                {"d.csv": rows}, "d.csv"),
        Subject({"name": "parquet", "path": "d.parquet", "target": "kind", "types": {"day": "drop"}},
                {"d.parquet": parquet.getvalue()}, "d.parquet"),
        Subject({"name": "text", "path": "d.csv"}, {"d.csv": texts.encode()}, "d.csv"),
        Subject({"name": "text", "path": "d"}, {f"d/{k}": v for k, v in files.items()}, "d/a/0.txt"),
        Subject({"name": "npz", "path": "d.npz"}, {"d.npz": _archive(np.savez, x=x, y=y)}, "d.npz"),
        Subject({"name": "npz", "path": "d.npz"},
                {"d.npz": _archive(np.savez_compressed, x=x, y=y.astype(float))}, "d.npz"),
    ]  # fmt: skip
    for form, suffix in (("PNG", "png"), ("JPEG", "jpg"), ("BMP", "bmp"), ("GIF", "gif"), ("WEBP", "webp")):  # fmt: skip
        image = _image(rng, form)
        content = {f"d/{name}/{row}.{suffix}": image for name in "ab" for row in range(4)}
        dataset = {"name": "images", "path": "d", "image_size": [8, 8]}
        found.append(Subject(dataset, content, f"d/a/0.{suffix}"))
    return found


def _flip(rng: random.Random, data: bytes) -> bytes:
    """Some bytes changed, mostly near the beginning or the end, where headers are."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        if changed:
            near = rng.choice((len(changed), 200, 40))
            at = rng.randrange(min(near, len(changed)))
            changed[rng.choice((at, -1 - at))] = rng.choice((0, 255, 10, 44, rng.randrange(256)))
    return bytes(changed)


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _remove(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.choice((1, 4, 100)) :]


def _repeat(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    piece = data[start : start + rng.choice((1, 20, 500))]
    return data[:start] + piece * rng.choice((2, 3, 400)) + data[start:]


def _insert(rng: random.Random, data: bytes) -> bytes:
    """An odd cell at a random place, or in place of a cell."""
    odd = rng.choice(ODD).encode("utf-8", "surrogatepass")
    cells = [at for at, byte in enumerate(data) if byte in b",\n"]
    if len(cells) < 2 or rng.random() < 0.2:
        at = rng.randrange(len(data) + 1)
        return data[:at] + odd + data[at:]
    at = rng.randrange(len(cells) - 1)
    return data[: cells[at] + 1] + odd + data[cells[at + 1] :]


def _encode(rng: random.Random, data: bytes) -> bytes:
    text = data.decode("latin-1")
    return text.encode(rng.choice(("utf-16", "utf-32", "utf-8-sig", "utf-7", "cp037")), "replace")


def _lines(rng: random.Random, data: bytes) -> bytes:
    """Lines in another order, repeated, or with other ends and separators."""
    lines = data.split(b"\n")
    match rng.randrange(5):
        case 0:
            rng.shuffle(lines)
        case 1:
            lines = lines * rng.choice((2, 50))
        case 2:
            lines.insert(rng.randrange(len(lines)), b"")
        case 3:
            return rng.choice((b"\r", b"\r\n", b"\n\n")).join(lines)
        case _:
            return data.replace(b",", rng.choice((b";", b"\t", b", ", b",,")))
    return b"\n".join(lines)


def _swap(rng: random.Random, data: bytes) -> bytes:
    """The content of another kind of data under this name, or nothing."""
    other = rng.choice(SUBJECTS)
    return rng.choice((other.content[other.changed], b"", b"\x00" * 100_000, gzip.compress(data)))


def _arrays(rng: random.Random, _: bytes) -> bytes:
    """An archive of arrays of other types and shapes."""
    types = ("f2", "f4", "i1", "u8", "i8", "?", "c8", "U3", "S4", "M8[s]", "O", ">f8", "f8")
    shape = rng.choice(((ROWS, 4), (ROWS, 0), (0, 4), (ROWS,), (), (ROWS, 2, 3), (1, 4), (3, 1)))
    x = np.full(shape, rng.choice((0, 1, 3)), dtype=rng.choice(types))
    count = rng.choice((ROWS, shape[0] if shape else 0))
    odd = rng.choice((0, -1, 5, 2**31, 2**62, 1.5, float("nan"), float("inf")))
    classes = rng.choice((2, 2, 3, 1000))
    y = np.array([odd, *(row % classes for row in range(max(0, count - 1)))][:count])
    names = rng.choice((("x", "y"), ("x_train", "y_train"), ("x", "z"), ("a/x", "../y")))
    save = rng.choice((np.savez, np.savez_compressed))
    return _archive(save, **dict(zip(names, (x, rng.choice((y, y[:, None], x))), strict=True)))


def _images(rng: random.Random, _: bytes) -> bytes:
    """An image of another mode and size."""
    mode = rng.choice(("1", "L", "P", "RGBA", "LA", "I", "I;16", "CMYK", "F"))
    form = rng.choice(("PNG", "TIFF", "GIF", "BMP", "WEBP", "JPEG"))
    file = io.BytesIO()
    size = rng.choice(((1, 1), (3000, 2000), (1, 20_000), (64, 64)))
    try:
        Image.new(mode, size).save(file, form)
    except (OSError, ValueError):
        Image.new("L", size).save(file, "PNG")
    return file.getvalue()


Change = Callable[[random.Random, bytes], bytes]
BYTES: tuple[Change, ...] = (_flip, _flip, _flip, _cut, _remove, _repeat, _swap)
OF_KIND: Mapping[str, tuple[Change, ...]] = {
    "csv": (*BYTES, _insert, _insert, _insert, _insert, _lines, _lines, _encode),
    "text": (*BYTES, _insert, _insert, _lines, _encode),
    "npz": (*BYTES, _arrays, _arrays),
    "images": (*BYTES, _images, _images),
    "parquet": BYTES,
}
SUBJECTS = subjects()


def write(folder: Path, seed: int, number: int) -> Path:
    """Writes one changed file with its spec, the same for the same numbers."""
    rng = random.Random(f"{seed} {number}")
    subject = rng.choice(SUBJECTS)
    for name, data in subject.content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    path = folder / subject.changed
    data = path.read_bytes()
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = rng.choice(OF_KIND[str(subject.dataset["name"])])(rng, data)
    path.write_bytes(data)
    texts = subject.dataset["name"] == "text"
    steps = (
        [{"vectorize": 30}] if texts else rng.choice(([], ["standardize"], [{"impute": "median"}]))
    )
    spec = {
        "dataset": {**subject.dataset, "prepare": steps},
        "model": ["Flatten", {"Dense": {"units": 2, "activation": "softmax"}}],
        "training": {"optimizer": "sgd", "loss": "sparse_categorical_crossentropy", "epochs": 1},
    }
    spec_path = folder / "s.yaml"
    spec_path.write_text(yaml.safe_dump(spec), "utf-8")
    return spec_path


def outcome(spec: Path) -> str:
    """Whether the data of a spec can be checked, loaded and prepared."""
    loaded = load(spec)
    faults = check.faults(loaded, own=layout.OWN)
    refused = any(not fault.is_warning for fault in faults)
    try:
        load_and_prepare(loaded.experiment)
    except NnrunError as error:
        message = str(error)
        if isinstance(error, DataError) and ("\n" in message or len(message) > 1000):
            raise ValueError(f"no sentence: {message[:200]!r}") from error
        return "refused" if refused else "refused by training only"
    return "refused by check only" if refused else "read"


def train(spec: Path, word: str) -> None:
    """Trains one epoch on a spec, predicts and evaluates, each in a process of its own.

    Args:
        spec: its data are changed.
        word: the outcome of reading them.

    Raises:
        ValueError: a command ends in a traceback, or refuses data that could be read.
    """
    root = spec.parent / "runs"
    commands = [["train", str(spec), "--runs", str(root)], ["predict"], ["evaluate"]]
    for command in commands:
        runs = [str(path) for path in root.glob("[!.]*")] if root.is_dir() else []
        if command[0] != "train" and not runs:
            return
        words = command if command[0] == "train" else [*command, runs[0]]
        answer = subprocess.run(
            [sys.executable, "-m", "nnrun", *words], capture_output=True, text=True, check=False
        )
        codes = (0,) if word == "read" else (0, 1, 2)
        if answer.returncode not in codes or "Traceback" in answer.stderr:
            raise ValueError(f"{command[0]}: {answer.returncode} {answer.stderr[-2000:]}")


def run(seed: int, numbers: range, every: int) -> dict[str, Any]:
    """Reads so many changed files.

    Raises:
        SystemExit: one or more ended in another exception or took too long.
    """
    counts: dict[str, int] = {}
    slowest, failures, began = (0.0, -1), [], time.perf_counter()
    folder = Path(tempfile.mkdtemp(prefix="nnrun-data-"))
    for number in numbers:
        case = folder / str(number)
        spec, start = write(case, seed, number), time.process_time()
        try:
            # A warning is no answer that the user gets.
            with warnings.catch_warnings(action="ignore"):
                word = outcome(spec)
            if every and number % every == 0:
                train(spec, word)
        except Exception as error:  # noqa: BLE001 - any other exception is what is looked for
            word = "failed"
            failures.append(f"{case}: {error!r}"[:500])
        counts[word] = counts.get(word, 0) + 1
        seconds = time.process_time() - start
        slowest = max(slowest, (seconds, number))
        if seconds > LONGEST:
            failures.append(f"{case}: {seconds:.1f} s")
        elif word != "failed":
            shutil.rmtree(case)
    report = counts | {
        "seconds": round(time.perf_counter() - began, 1),
        "slowest": round(slowest[0], 3),
        "slowest_number": slowest[1],
        "megabytes": megabytes(),
    }
    if failures:
        raise SystemExit("\n".join([*failures, json.dumps(report)]))
    folder.rmdir()
    return report


def main() -> None:
    """Reads the arguments and prints the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--train", type=int, default=0, metavar="N")
    parser.add_argument("--only", type=int)
    arguments = parser.parse_args()
    numbers = range(arguments.count)
    if arguments.only is not None:
        numbers = range(arguments.only, arguments.only + 1)
    print(json.dumps(run(arguments.seed, numbers, arguments.train)))


if __name__ == "__main__":
    main()
