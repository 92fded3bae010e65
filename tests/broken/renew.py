"""Reads the tables of broken specs beside this file, and renews their expected texts.

    python tests/broken/renew.py

Run it after you change a message on purpose, and read the diff before you commit it: the texts are
what users see. The head of `bases.yaml` says how to write a case.
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterator
from functools import cache
from itertools import chain, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import indent
from typing import NamedTuple

import yaml

from nnrun.errors import Fault, SpecError
from nnrun.spec.loading import load
from nnrun.spec.rendering import render

HERE = Path(__file__).parent
TABLES = sorted({*HERE.glob("*.yaml")} - {HERE / "bases.yaml"})
BASES: dict[str, str] = yaml.safe_load((HERE / "bases.yaml").read_text("utf-8"))
EXPECTED = re.compile(r"^  expected:.*\n(?:    .*\n)*", re.MULTILINE)


class Case(NamedTuple):
    name: str
    files: tuple[tuple[str, bytes], ...]  # the first one is the spec
    overrides: tuple[str, ...] = ()
    expected: str = ""


def cases(table: Path) -> Iterator[Case]:
    for row in yaml.load(table.read_text("utf-8"), yaml.CSafeLoader):
        others = [(name, text.encode()) for name, text in row.get("files", {}).items()]
        files = tuple((f"{table.stem}/{x}", y) for x, y in [("spec.yaml", spec(row)), *others])
        overrides, expected = tuple(row.get("set", ())), row["expected"] or ""
        yield Case(f"{table.stem}/{row['name']}", files, overrides, expected)


def spec(row: dict[str, str]) -> bytes:
    if "bytes" in row:
        return bytes(ast.literal_eval(f"b'''{row['bytes']}'''"))
    text = "\n" + (row["spec"] if "spec" in row else BASES[row["base"]])
    for hunk in row["diff"].split("@@\n") if "diff" in row else ():
        lines = hunk.splitlines(keepends=True)
        old, new = ("\n" + "".join(x[1:] for x in lines if x[0] in marks) for marks in (" -", " +"))
        assert text.count(old) == 1, f"{row['name']}: must be in {row['base']} exactly once: {old}"
        text = text.replace(old, new)
    return text[1:].encode()


@cache
def faults(case: Case) -> tuple[Fault, ...]:
    """What is wrong with a spec; nothing if it loads after all."""
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, content in case.files:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(content)
        try:
            load(Path(case.files[0][0]), overrides=case.overrides)
        except SpecError as error:
            return error.faults
    return ()


def report(case: Case) -> str:
    """The text that `nnrun train` prints for a spec."""
    return "".join(f"{render(fault)}\n" for fault in faults(case))


def renew() -> None:
    """Writes the expected texts anew, and leaves the rest of the tables as it is."""
    for table in TABLES:
        texts = [f"  expected: |\n{indent(report(case), '    ')}" for case in cases(table)]
        others = EXPECTED.split(table.read_text("utf-8"))
        renewed = "".join(chain(*zip_longest(others, texts, fillvalue="")))
        assert len(others) == len(texts) + 1, (
            f"{table}: a case must have 'expected' once, as its last"
        )
        table.write_text(renewed, "utf-8", newline="\n")


if __name__ == "__main__":
    renew()
