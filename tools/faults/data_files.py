"""Changes data files at random and uses them: each is read or refused in one sentence.

    python tools/faults/data_files.py --count 10000 --seed 0 --train 20

Tables, arrays, images and texts are changed in bytes, encodings, sizes and types. Each file is
checked, loaded and prepared, and given to `predict` and `evaluate` of a run that was trained on the
unchanged file. Every `--train`-th is trained on for one epoch, and that run predicts and evaluates
its test rows. All of it in this process, by the commands themselves. Prints counts, the slowest
file in seconds, and the largest memory of a file as a share of what is fair, as JSON. A file that
ends with another exception, takes too long or too much memory, stays in the folder that is printed;
`--only NUMBER` repeats a single one.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import logging
import os
import random
import shutil
import signal
import tempfile
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from fuzzing import megabytes
from PIL import Image
from typer.testing import CliRunner

from nnrun import check
from nnrun.cli.app import app
from nnrun.errors import DataError, NnrunError
from nnrun.experiment.fold import load_and_prepare
from nnrun.runs import layout
from nnrun.spec.loading import load

LONGEST = 5.0  # seconds of this process that one command may take with one file
PATIENCE = 300  # seconds after which a command hangs
FAIR = 40e6  # bytes of memory that any command may take with any file
PER_BYTE = 60  # bytes of memory for each byte of an unpacked file: a cell of one digit is an object
PER_PIXEL = 12  # bytes of memory for each pixel and core
ROWS = 60
TRAINING = {"optimizer": "sgd", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
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
        classes: their number.
    """

    dataset: Mapping[str, Any]
    content: Mapping[str, bytes]
    changed: str
    classes: int = 2

    def write(self, folder: Path) -> Path:
        """Writes its files, and returns the one to change."""
        for name, data in self.content.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folder / self.changed

    def write_spec(self, folder: Path, steps: Sequence[object]) -> Path:
        """Writes a spec with these prepare steps."""
        spec = {
            "dataset": {**self.dataset, "prepare": steps},
            "model": ["Flatten", {"Dense": {"units": self.classes, "activation": "softmax"}}],
            "training": {**TRAINING, "epochs": 1, "batch_size": 64},
        }
        path = folder / "s.yaml"
        path.write_text(yaml.safe_dump(spec), "utf-8")
        return path


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
        Subject({"name": "text", "path": "d.csv"}, {"d.csv": texts.encode()}, "d.csv", 3),
        Subject({"name": "text", "path": "d"}, {f"d/{k}": v for k, v in files.items()}, "d/a/0.txt"),
        Subject({"name": "npz", "path": "d.npz"}, {"d.npz": _archive(np.savez, x=x, y=y)}, "d.npz"),
        Subject({"name": "npz", "path": "d.npz", "task": "classification"},
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


def write(folder: Path, seed: int, number: int) -> tuple[Path, int]:
    """Writes one changed file with its spec, the same for the same numbers.

    Returns:
        The path of the spec, and the number of its subject.
    """
    rng = random.Random(f"{seed} {number}")
    chosen = rng.randrange(len(SUBJECTS))
    subject = SUBJECTS[chosen]
    path = subject.write(folder)
    data = path.read_bytes()
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = rng.choice(OF_KIND[str(subject.dataset["name"])])(rng, data)
    path.write_bytes(data)
    texts = subject.dataset["name"] == "text"
    steps = (
        [{"vectorize": 30}] if texts else rng.choice(([], ["standardize"], [{"impute": "median"}]))
    )
    return subject.write_spec(folder, steps), chosen


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


def command(*arguments: object) -> int:
    """Runs a command in this process, and returns its exit code.

    Raises:
        RuntimeError: it ends in another exception.
        ValueError: its message is a traceback, or no sentence.
    """
    answer = CliRunner().invoke(app, [*map(str, arguments)])
    if answer.exception and not isinstance(answer.exception, SystemExit):
        raise RuntimeError(f"{arguments[0]}: {answer.exception!r}") from answer.exception
    longest = max(map(len, answer.stderr.splitlines()), default=0)
    if answer.exit_code not in (0, 1, 2) or "Traceback" in answer.stderr or longest > 3000:
        raise ValueError(f"{arguments[0]}: {answer.exit_code} {answer.stderr[-2000:]}")
    return answer.exit_code


def train(spec: Path) -> Path | None:
    """Trains one epoch and returns the run; None if the data are refused."""
    root = spec.parent / "runs"
    return next(root.glob("[!.]*")) if command("train", spec, "--runs", root) == 0 else None


def trained(folder: Path) -> list[Path]:
    """A run for each subject, trained on the unchanged files."""
    steps = {"csv": [{"impute": "median"}, "standardize"], "images": ["rescale"]}
    steps |= {"text": [{"vectorize": 30}], "npz": ["standardize"], "parquet": steps["csv"]}
    found = []
    for number, subject in enumerate(SUBJECTS):
        subject.write(folder / str(number))
        run = train(subject.write_spec(folder / str(number), steps[str(subject.dataset["name"])]))
        assert run, subject
        found.append(run)
    return found


def keep_models() -> None:
    """Reads the model of each run once, and traces it once: a file is what changes."""
    from nnrun.analysis.predict import model

    read, evaluator = model.read, model.Evaluator
    models, evaluators = dict[Path, Any](), dict[tuple[int, bool], Any]()

    def kept_model(subject: Any, shape: Any, alike: Any = None) -> Any:
        if subject.run.path not in models:
            models[subject.run.path] = read(subject, shape, alike)
        return models[subject.run.path]

    def kept_evaluator(network: Any, preparation: Any) -> Any:
        key = id(network), preparation.stored_expanded
        return evaluators.setdefault(key, evaluator(network, preparation))

    model.read, model.Evaluator = kept_model, kept_evaluator  # type: ignore[assignment,misc]


def fair_memory(path: Path) -> float:
    """Bytes of memory that a file may take."""
    data = path.read_bytes()
    size, pixels = len(data), 0
    with contextlib.suppress(OSError, EOFError, ValueError, zlib.error):
        size += len(gzip.decompress(data))
    with contextlib.suppress(Exception), zipfile.ZipFile(path) as members:
        size += sum(member.file_size for member in members.infolist())
    with contextlib.suppress(Exception), Image.open(path) as image:
        pixels = image.width * image.height
    return FAIR + PER_BYTE * size + PER_PIXEL * pixels * (os.cpu_count() or 1)


def resident_bytes() -> int:
    """The memory of this process."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_bytes(*, reset: bool = False) -> float:
    """The largest memory of this process since it was reset."""
    with contextlib.suppress(OSError):
        if reset:
            Path("/proc/self/clear_refs").write_text("5", "ascii")
    return megabytes() * 1e6


@dataclass
class Costs:
    """What the files took."""

    slowest: tuple[float, int, str] = (0.0, -1, "")
    largest: tuple[float, int, str] = (0.0, -1, "")

    @contextlib.contextmanager
    def measured(self, verb: str, number: int, changed: Path, seconds: float) -> Iterator[None]:
        """Measures a command.

        Args:
            verb: its name.
            number: of the file.
            changed: the file.
            seconds: that it may take.

        Raises:
            ValueError: it took more, or more than twice the fair memory.
        """
        before, start = resident_bytes(), time.process_time()
        peak_bytes(reset=True)
        signal.alarm(PATIENCE)
        try:
            yield
        finally:
            signal.alarm(0)
        took = time.process_time() - start
        share = (peak_bytes() - before) / fair_memory(changed)
        self.slowest = max(self.slowest, (round(took, 3), number, verb))
        self.largest = max(self.largest, (round(share, 3), number, verb))
        if took > seconds:
            raise ValueError(f"{verb}: {took:.1f} s")
        if share > 2:
            raise ValueError(f"{verb}: {share:.1f} times its fair memory")


def _hangs(*_: object) -> None:
    raise TimeoutError(f"it hangs for {PATIENCE} seconds")


@dataclass
class Bench:
    """Uses changed files.

    Args:
        seed: of the files.
        every: how many files are read for one that is trained on; 0 for none.
        runs: of each subject.
        usual: seconds that training on an unchanged file takes.
    """

    seed: int
    every: int
    runs: Sequence[Path]
    usual: float
    costs: Costs

    @classmethod
    def start(cls, folder: Path, seed: int, every: int) -> Bench:
        """Trains on the unchanged files."""
        signal.signal(signal.SIGALRM, _hangs)
        # Loggers of TensorFlow keep a standard error that is closed with its command.
        logging.raiseExceptions = False
        start = time.process_time()
        runs = trained(folder / "trained")
        keep_models()
        return cls(seed, every, runs, (time.process_time() - start) / len(runs), Costs())

    def use(self, case: Path, number: int) -> Iterator[str]:
        """What becomes of a file; raises what else happens."""
        spec, chosen = write(case, self.seed, number)
        changed = case / SUBJECTS[chosen].changed
        with self.costs.measured("check", number, changed, LONGEST):
            word = outcome(spec)
        yield word
        data = case / str(SUBJECTS[chosen].dataset["path"])
        for verb in ("predict", "evaluate"):
            with self.costs.measured(verb, number, changed, LONGEST):
                code = command(verb, self.runs[chosen], data, "--json")
            yield f"{verb} {code}"
        if self.every and number % self.every == 0:
            with self.costs.measured("train", number, changed, LONGEST + self.usual):
                new = train(spec)
            if (new is not None) != (word == "read"):
                raise ValueError(f"{word}, and training {'ends well' if new else 'refuses it'}")
            yield "trained" if new else "not trained"
            for verb in ("predict", "evaluate") if new else ():
                yield f"{verb} test rows {command(verb, new)}"


def run(seed: int, numbers: range, every: int) -> dict[str, Any]:
    """Uses so many changed files; arguments as of `Bench`.

    Raises:
        SystemExit: one or more ended in another exception, or took too long or too much memory.
    """
    counts: dict[str, int] = {}
    failures, began = list[str](), time.perf_counter()
    folder = Path(tempfile.mkdtemp(prefix="nnrun-data-"))
    bench = Bench.start(folder, seed, every)
    for number in numbers:
        case = folder / str(number)
        try:
            # A warning is no answer that the user gets.
            with warnings.catch_warnings(action="ignore"):
                for word in bench.use(case, number):
                    counts[word] = counts.get(word, 0) + 1
            shutil.rmtree(case)
        except Exception as error:  # noqa: BLE001 - any other exception is what is looked for
            counts["failed"] = counts.get("failed", 0) + 1
            failures.append(f"{case}: {error!r}"[:500])
            print(failures[-1], flush=True)
    report = dict(sorted(counts.items())) | {
        "seconds": round(time.perf_counter() - began, 1),
        "slowest": bench.costs.slowest,
        "largest": bench.costs.largest,
        "megabytes": megabytes(),
    }
    if failures:
        raise SystemExit("\n".join([*failures, json.dumps(report)]))
    shutil.rmtree(folder)
    return report


def main() -> None:
    """Reads the arguments and prints the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, metavar="NUMBER")
    parser.add_argument("--train", type=int, default=0, metavar="N")
    parser.add_argument("--only", type=int)
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.first + arguments.count)
    if arguments.only is not None:
        numbers = range(arguments.only, arguments.only + 1)
    print(json.dumps(run(arguments.seed, numbers, arguments.train)))


if __name__ == "__main__":
    main()
