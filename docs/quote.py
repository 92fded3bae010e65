"""Text that the documentation quotes from the program: `make docs` writes it, `make check` compares.

Each function prints Markdown for the cog blocks in README.md and docs/.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from nnrun.cli.app import VERBS
from nnrun.runs import layout
from nnrun.spec.codes import all_rules

CONFIGS = Path(__file__).parent.parent / "configs"
SUBCOMMANDS = {"data": ("list", "fetch", "import", "verify")}
# Errors that need an override to appear.
OVERRIDES = {"NN009": ("--set", "model.7.Dense.units=64")}


def command(*arguments: str) -> None:
    """A command and its output."""
    answer = "\n".join(line.rstrip() for line in _run(*arguments).stdout.strip().splitlines())
    print(f"```console\n$ nnrun {' '.join(arguments)}\n{answer}\n```")


def declined(*arguments: str) -> None:
    """A command that fails, and its error message."""
    print(f"```console\n$ nnrun {' '.join(arguments)}\n{_run(*arguments).stderr.strip()}\n```")


def refused(spec: str, *overrides: str) -> None:
    """The errors of a broken spec."""
    answer = _run("check", spec, *overrides).stdout.strip()
    print(f"```console\n$ nnrun {' '.join(('check', spec, *overrides))}\n{answer}\n```")


def new(name: str, source: str, *, lines: int) -> None:
    """The output of `nnrun new` and the first lines of its spec; a file name means shipped data."""
    with tempfile.TemporaryDirectory() as folder:
        if (data := CONFIGS / "own" / "data" / source).is_file():
            shutil.copy(data, folder)
        answer = _run("new", name, "--from", source, cwd=folder).stderr.strip()
        text = (Path(folder) / f"{name}.yaml").read_text(encoding="utf-8")
    print(f"```console\n$ nnrun new {name} --from {source}\n{answer}\n```")
    print("```yaml\n" + "\n".join([*text.splitlines()[:lines], "…"]) + "\n```")


def commands() -> None:
    """The help of every command and subcommand."""
    for name in VERBS:
        print(f"## {name}\n")
        help_text(name)
        for part in SUBCOMMANDS.get(name, ()):
            help_text(name, part)


def help_text(*arguments: str) -> None:
    """The help of one command."""
    answer = _run(*arguments, "--help").stdout.strip()
    lines = [line.rstrip() for line in answer.splitlines()]
    hidden = ("-h, --help ",)
    print(
        "```text\n" + "\n".join(x for x in lines if not x.lstrip().startswith(hidden)) + "\n```\n"
    )


def _run(
    *arguments: str, cwd: str | None = None, width: int = 88
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": str(width), "TERM": "dumb", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "nnrun", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=cwd,
    )


def schema(file: str) -> None:
    """The output of `nnrun schema` when it writes a file."""
    with tempfile.TemporaryDirectory() as folder:
        answer = _run("schema", "-o", file, cwd=folder).stderr.strip()
    print(f"```console\n$ nnrun schema -o {file}\n{answer}\n```")


def file(path: str) -> None:
    """A file of this repository."""
    print(f"```yaml\n{Path(path).read_text(encoding='utf-8').strip()}\n```")


def run_folder() -> None:
    """The files of a run."""
    print("| file | holds |\n|---|---|")
    for name, meaning in layout.MEANING.items():
        print(f"| `{name}{'/' if name == layout.PLOTS else ''}` | {meaning} |")


def run_folder_of_folds() -> None:
    """The additional files of runs on texts, cross-validations and unfinished runs."""
    others = layout.MEANING_OF_TEXTS | layout.MEANING_OF_VALUES | layout.MEANING_OF_FOLDS
    others |= layout.MEANING_OF_CODE | layout.MEANING_OF_UNFINISHED
    for name, meaning in others.items():
        print(f"| `{name}{'' if '.' in name else '/'}` | {meaning} |")


def shipped() -> None:
    """The shipped specs."""
    print("| spec | what it shows |\n|---|---|")
    for path in sorted(CONFIGS.glob("*.yaml")):
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
        print(f"| `{path.stem}` | {spec['description']} |")


def architectures() -> None:
    """The networks in `configs/architectures` with their parameter counts."""
    print("| spec | what it is | parameters |\n|---|---|---|")
    for path in sorted((CONFIGS / "architectures").glob("*.yaml")):
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
        counted = _run("check", str(path), "--json").stdout
        parameters = json.loads(counted)["specs"][0]["parameters"]
        link = f"`{path.stem}`"
        print(f"| {link} | {spec['description']} | {parameters:,} |")


def graph(spec: str, *, lines: int) -> None:
    """The first lines of the Keras summary of a network."""
    answer = _run("check", "--build", spec, width=140).stdout.splitlines()
    shown = "\n".join(line.rstrip() for line in answer[:lines])
    print(f"```console\n$ nnrun check --build {spec}\n{shown}\n…\n```")


def data() -> None:
    """The data sets and their published files."""
    print("| data set | rows | kind | files |\n|---|---|---|---|")
    for each in json.loads(_run("data", "list", "--json").stdout)["datasets"]:
        files = "<br>".join(
            f"[{file['url'].rpartition('/')[2]}]({file['url']}), {file['bytes']:,} bytes"
            for file in each["files"]
        )
        name, rows = each["name"], f"{each['rows']:,}"
        print(f"| `{name}` | {rows} | {each['kind']} | {files or 'embedded'} |")


def keys(group: str) -> None:
    """Tables of the keys in a group, such as `spec`, `steps` or `datasets`."""
    print(_run("keys", group, "--markdown").stdout, end="")


def errors() -> None:
    """Every error code with its rule, reason, fix and, if possible, an example."""
    for code, rule in all_rules().items():
        print(f"### {code}\n\n**{rule.rule}** {rule.reason}\n")
        if rule.symptom:
            print(f"What it looks like: {rule.symptom}\n")
        _broken(code)
        print(f"What to do: {rule.fix}\n")
        if rule.example:
            print(f"```yaml\n{rule.example}\n```\n")


def _broken(code: str) -> None:
    """An example spec with this error, if there is one, and its messages."""
    path = f"docs/examples/errors/{code}.yaml"
    if Path(path).is_file():
        file(path)
        refused(path, *OVERRIDES.get(code, ()))
        print()
