"""Verbs about the language of specs: `keys`, `explain`, `schema` and `devices`."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from nnrun.cli import console
from nnrun.cli.verb import Json
from nnrun.errors import CommandError
from nnrun.spec.codes import Rule, all_rules
from nnrun.spec.suggest import edit_distance
from nnrun.training.backend import Noise

if TYPE_CHECKING:
    from nnrun.spec.keys import Section

VALUE_WIDTH = 34  # longer values and defaults are wrapped


def keys(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORD]...",
            help="A section (training), a group (layers, losses, …), a name (Dense, epochs), or a "
            "Python file.",
        ),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
    json: Json = False,
) -> None:
    """Explain what a spec may contain: keys, steps, Keras names.

    Example: nnrun keys training
    """
    from nnrun.spec.keys import everything, look_up

    sections = [section for word in words or () for section in look_up(word)]
    sections = sections or list(everything())
    if json:
        documents = [asdict(section) for section in sections]
        console.print_json({"sections": documents})
    elif markdown:
        print("\n".join(map(markdown_tables, sections)))
    else:
        for section in sections:
            show(section, console.stdout())


def show(section: Section, out: Console) -> None:
    """Prints a section: its meaning, a line per key, and an empty line."""
    title = f"{section.title} ({section.kind})" if section.kind else section.title
    out.print(f"{title}: {section.meaning}", style="bold", soft_wrap=False)
    if section.keys:
        header, *rows = _table(section)
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        for _ in header[1:-1]:
            table.add_column(max_width=VALUE_WIDTH)
        table.add_column()
        for name, *rest in rows:
            table.add_row(f"  {name}", *rest)
        out.print(table)
    out.print()


def markdown_tables(section: Section) -> str:
    """A section in Markdown, below a heading of level 3."""
    from nnrun.spec.keys import TOP

    heading = "The top level" if section.title == TOP else f"`{section.title}`"
    lines = [f"### {heading}", ""]
    if section.kind:
        lines += [section.meaning, ""]
    if section.keys:
        rows = [[cell.replace("|", "\\|") for cell in row] for row in _table(section, mark="`")]
        first, *rest = [f"| {' | '.join(row)} |" for row in rows]
        lines += [first, "|" + "---|" * len(rows[0]), *rest, ""]
    return "\n".join(lines)


def _table(section: Section, *, mark: str = "") -> list[list[str]]:
    """A header and a row per key; a list of names has no values and defaults."""
    rows = [["key", "value", "default", "meaning"]]
    for key in section.keys:
        default = key.fallback or "needed" if key.fallback or key.required else "none"
        if default == "none" and key.default not in ("", [], {}):
            default = f"{mark}{json.dumps(key.default)}{mark}".replace('"', "")
        rows.append([f"{mark}{key.name}{mark}", key.value or "", default, key.meaning])
    has_values = any(key.value is not None for key in section.keys)
    return rows if has_values else [[row[0], row[-1]] for row in rows]


def explain(
    codes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CODE]...", help="Such as NN104; by default all codes."),
    ] = None,
    json: Json = False,
) -> None:
    """Explain an error code and how to fix it.

    Example: nnrun explain NN104
    """
    rules = {code: all_rules()[code] for code in map(_code, codes or ())} or all_rules()
    if json:
        documents = [{"code": code, **asdict(rule)} for code, rule in rules.items()]
        console.print_json({"codes": documents})
        return
    out = console.stdout()
    for number, (code, rule) in enumerate(rules.items()):
        if not codes:
            out.print(f"{code}  {rule.rule}")
            continue
        heading, *rest = _paragraphs(code, rule, out.width)
        out.print("\n" * (number > 0) + heading, style="bold")
        out.print("\n" + "\n\n".join(rest))


def _code(word: str) -> str:
    """The code for a word: `nn104` and `104` mean NN104."""
    code, rules = f"NN{word.upper().removeprefix('NN')}", all_rules()
    if code in rules:
        return code
    near = next((other for other in rules if edit_distance(code, other, most=1) is not None), None)
    hint = f"; did you mean '{near}'?" if near else ";"
    raise CommandError(f"there is no code '{word}'{hint} `nnrun explain` lists all")


def _paragraphs(code: str, rule: Rule, width: int) -> list[str]:
    fields = {"why": rule.reason, "symptom": rule.symptom, "fix": rule.fix}
    texts = [f"{code}  {rule.rule}", *(f"{word}: {text}" for word, text in fields.items() if text)]
    example = [textwrap.indent(rule.example, "    ")] if rule.example else []
    return [*(textwrap.fill(text, width) for text in texts), *example]


def schema(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the schema to a file."),
    ] = None,
    header: Annotated[
        bool, typer.Option("--header", help="Print only the first lines of a spec, for editors.")
    ] = False,
) -> None:
    """Print the JSON Schema of specs, for editors.

    Example: nnrun schema -o nnrun.schema.json
    """
    from nnrun.spec import schema as language

    if output:
        console.write_result(language.text(), output)
    elif not header:
        sys.stdout.write(language.text())
        return
    # Specs name the schema relative to their folder, with slashes on every system.
    address = Path(os.path.relpath(output)).as_posix() if output else language.FILE
    lines = language.header(address)
    if header:
        sys.stdout.write("\n".join(lines) + "\n")
        return
    hint = ["first lines of a spec in this folder, for editors:", *lines]
    console.stderr().print("\n".join(hint))


def devices(json: Json = False) -> None:
    """List the devices that `training.device` can name.

    Example: nnrun train configs/digits.yaml --set training.device=cpu
    """
    with Noise():
        from nnrun.training.devices import available, choose

        names, default = available(), choose("auto")
    if json:
        console.print_json({"devices": names, "auto": default})
        return
    for name, description in names.items():
        mark = " (auto)" if name == default else ""
        console.stdout().print(f"{name}{mark}: {description}")
