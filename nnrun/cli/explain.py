"""`nnrun explain CODE…`."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from nnrun.cli import console
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import CommandError
from nnrun.spec.lint_codes import ALL
from nnrun.spec.rule import Rule
from nnrun.spec.suggest import edits

EXAMPLE = "Example: nnrun explain NN104"
INDENT = "    "


def explain(
    codes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CODE]...", help="Such as NN104; by default all are listed."),
    ] = None,
    json: Json = False,
) -> None:
    """Say what the code of a fault means, why it is one, and how to mend it."""
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
