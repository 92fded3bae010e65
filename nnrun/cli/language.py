"""`nnrun keys [WORD]…`."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from nnrun.cli import console
from nnrun.cli.console import save
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import CommandError
from nnrun.spec.codes import ALL, Rule
from nnrun.spec.keys import TOP, Key, Section
from nnrun.spec.text import edits
from nnrun.training.backend import Noise


def keys(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORD]...",
            help="A part (training), steps, datasets, layers, losses, …, or a name (Dense, epochs).",
        ),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Tables for a document.")] = False,
    json: Json = False,
) -> None:
    """Explain what a spec may contain: keys, steps, Keras names.

    Example: nnrun keys training
    """
    with exit_codes():
        from nnrun.spec.keys import everything, look_up

        found = [section for word in words or () for section in look_up(word)]
        found = found or list(everything())
        out = console.stdout()
        if json:
            sections = [plain(section) for section in found]
            console.print_json({"schema_version": 1, "sections": sections})
        elif markdown:
            print("\n".join(map(markdown_tables, found)))
        else:
            for section in found:
                show(section, out)
                out.print()


# Keys and names as tables: in a terminal, in Markdown, in JSON.

# Words of a value that stand on one line.
WIDE = 34


def show(section: Section, out: Console) -> None:
    """Prints a section: what it is, and a line for each key."""
    named = f"{section.title} ({section.kind})" if section.kind else section.title
    out.print(f"{named}: {section.meaning}", markup=False, style="bold", soft_wrap=False)
    if not section.keys:
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for _ in _columns(section)[1:-1]:
        table.add_column(max_width=WIDE)
    table.add_column()
    for key in section.keys:
        first, *rest = (_cell(key, column) for column in _columns(section))
        table.add_row(f"  {first}", *rest)
    out.print(table, markup=False)


def markdown_tables(section: Section) -> str:
    """A section under a heading of the third level."""
    heading = "The top level" if section.title == TOP else f"`{section.title}`"
    lines = [f"### {heading}", ""]
    if section.kind:
        lines += [section.meaning, ""]
    if section.keys:
        columns = _columns(section)
        lines += [_row(columns), "|" + "---|" * len(columns)]
        lines += [_row([_cell(key, c, mark="`") for c in columns]) for key in section.keys]
        lines.append("")
    return "\n".join(lines)


def plain(section: Section) -> dict[str, Any]:
    """A section as JSON holds it."""
    return asdict(section)


def _columns(section: Section) -> list[str]:
    """A name that is only listed has no value and no default."""
    listed = all(key.value is None for key in section.keys)
    return ["key", "meaning"] if listed else ["key", "value", "default", "meaning"]


def _cell(key: Key, column: str, *, mark: str = "") -> str:
    match column:
        case "key":
            return f"{mark}{key.name}{mark}"
        case "value":
            return key.value or ""
        case "default":
            return _default(key, mark)
    return key.meaning


def _default(key: Key, mark: str) -> str:
    if key.fallback or key.required:
        return key.fallback or "needed"
    if key.default in ("", [], {}):
        return "none"
    return f"{mark}{json.dumps(key.default)}{mark}".replace('"', "")


def _row(cells: Iterable[str]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


# `nnrun explain CODE…`.

INDENT = "    "


def explain(
    codes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CODE]...", help="Such as NN104; by default all are listed."),
    ] = None,
    json: Json = False,
) -> None:
    """Explain an error code and how to fix it.

    Example: nnrun explain NN104
    """
    with exit_codes():
        found = {code: ALL[code] for code in map(_known, codes or ())} or ALL
        if json:
            rules = [{"code": code, **asdict(rule)} for code, rule in found.items()]
            console.print_json({"schema_version": 1, "codes": rules})
            return
        out = console.stdout()
        for number, (code, rule) in enumerate(found.items()):
            if not codes:
                out.print(f"{code}  {rule.rule}", markup=False)
                continue
            if number:
                out.print()
            _print(out, code, rule)


def _known(word: str) -> str:
    """The code that is meant: `nn104` and `104` mean NN104.

    Raises:
        CommandError: there is no such code; with the nearest.
    """
    code = f"NN{word.upper().removeprefix('NN')}"
    if code in ALL:
        return code
    near = next((each for each in ALL if edits(code, each, most=1) is not None), None)
    hint = f"; did you mean '{near}'?" if near else ""
    raise CommandError(f"there is no code '{word}'{hint or ';'} `nnrun explain` lists all")


def _print(out: Console, code: str, rule: Rule) -> None:
    out.print(textwrap.fill(f"{code}  {rule.rule}", out.width), markup=False, style="bold")
    for word, text in (("why", rule.reason), ("symptom", rule.symptom), ("fix", rule.fix)):
        if text:
            out.print("\n" + textwrap.fill(f"{word}: {text}", out.width), markup=False)
    if rule.example:
        out.print("\n" + textwrap.indent(rule.example, INDENT), markup=False)


# `nnrun schema`.


def schema(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it to a file."),
    ] = None,
    header: Annotated[
        bool, typer.Option("--header", help="Print only the lines that a spec begins with.")
    ] = False,
) -> None:
    """Print the JSON Schema of specs, for editors.

    Example: nnrun schema -o nnrun.schema.json
    """
    with exit_codes():
        from nnrun.spec import schema as language

        if output:
            text = language.text()
            save(output, lambda path: path.write_text(text, encoding="utf-8"))
        elif not header:
            sys.stdout.write(language.text())
            return
        lines = language.header(_address(output) if output else language.FILE)
        if header:
            sys.stdout.write("\n".join(lines) + "\n")
            return
        said = ["a spec in this folder finds it by these lines on top:", *lines]
        console.stderr().print("\n".join(said), markup=False)


def _address(path: Path) -> str:
    """A file as a spec in the current folder names it, with slashes on every system."""
    return Path(os.path.relpath(path)).as_posix()


# `nnrun devices`.


def devices(json: Json = False) -> None:
    """List the devices that `training.device` can name.

    Example: nnrun train configs/digits.yaml --set training.device=cpu
    """
    with exit_codes():
        with Noise():
            from nnrun.training import devices as stage

            found, chosen = stage.available(), stage.choose("auto")
        if json:
            console.print_json({"schema_version": 1, "devices": found, "auto": chosen})
            return
        for name, description in found.items():
            mark = " (auto)" if name == chosen else ""
            console.stdout().print(f"{name}{mark}: {description}", markup=False)
