"""What the documentation quotes from the program; `make docs` writes it in, `make check` compares.

Each function prints Markdown for the cog blocks in README.md and docs/.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from nnrun import layout
from nnrun.spec import dataset
from nnrun.spec.base import Spec
from nnrun.spec.experiment import Experiment
from nnrun.spec.training import Training
from nnrun.spec.validation import Holdout, KFold, Smooth

NAMED = Experiment.model_fields["name"].description
CONFIGS = Path(__file__).parent.parent / "configs"


def command(*arguments: str) -> None:
    """A command and what it answers."""
    print(f"```console\n$ nnrun {' '.join(arguments)}\n{_run(*arguments).stdout.strip()}\n```")


def refused(spec: str) -> None:
    """What is said of a spec with faults."""
    answer = _run("train", spec).stderr.strip()
    print(f"```console\n$ nnrun train {spec}\n{answer}\n```")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "88", "TERM": "dumb", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "nnrun", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def file(path: str) -> None:
    """A file of this repository."""
    print(f"```yaml\n{Path(path).read_text(encoding='utf-8').strip()}\n```")


def run_folder() -> None:
    """The files of a run."""
    print("| file | holds |\n|---|---|")
    for name, meaning in layout.MEANING.items():
        print(f"| `{name}{'/' if name == layout.PLOTS else ''}` | {meaning} |")


def run_folder_of_folds() -> None:
    """The rows of what a cross-validation has besides."""
    for name, meaning in layout.MEANING_OF_FOLDS.items():
        print(f"| `{name}{'' if '.' in name else '/'}` | {meaning} |")


def shipped() -> None:
    """The specs that come with nnrun."""
    print("| spec | what it shows |\n|---|---|")
    for path in sorted(CONFIGS.glob("*.yaml")):
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
        print(f"| [`{path.stem}`](configs/{path.name}) | {spec['description']} |")


def keys() -> None:
    """Every key of a spec."""
    for title, cls in (
        ("The top level", Experiment),
        ("`training`", Training),
        ("`validation.holdout`", Holdout),
        ("`validation.kfold`", KFold),
        ("`validation.kfold.smooth`", Smooth),
    ):
        print(f"### {title}\n")
        _table(cls)
        print()


def datasets() -> None:
    """Every data set with its arguments."""
    for cls in _members(dataset.Dataset):
        name = get_args(cls.model_fields["name"].annotation)[0]
        print(f"### `{name}`\n\n{_paragraph(cls)}\n")
        arguments = [key for key in cls.model_fields if key not in ("name", "prepare")]
        if arguments:
            _table(cls, arguments)
            print()


def steps() -> None:
    """Every prepare step with its arguments."""
    for name, cls in dataset.STEPS.items():
        print(f"### `{name}`\n\n{_paragraph(cls)}\n")
        arguments = [key for key in cls.model_fields if key != "step"]
        if arguments:
            _table(cls, arguments)
            print()


def _members(annotated: Any) -> tuple[type[Spec], ...]:
    union = get_args(get_args(annotated)[0])
    return tuple(cls for cls in (union or get_args(annotated)) if isinstance(cls, type))


def _paragraph(cls: type[Spec]) -> str:
    lines = (cls.__doc__ or "").strip().splitlines()
    return " ".join(line.strip() for line in lines if line.strip())


def _table(cls: type[Spec], names: list[str] | None = None) -> None:
    print("| key | value | default | |\n|---|---|---|---|")
    for name in names or cls.model_fields:
        field = cls.model_fields[name]
        print(f"| `{name}` | {_kind(field.annotation)} | {_default(field)} | {field.description} |")


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "the file's stem" if field.description == NAMED else "needed"
    if isinstance(value, Spec) or value in ("", ()):
        return "none"
    return f"`{json.dumps(value)}`".replace('"', "")


def _kind(annotation: Any) -> str:
    """A type as a person would say it."""
    words = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    if annotation in words:
        return words[annotation]
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{word}`" for word in get_args(annotation))
    if get_origin(annotation) is tuple:
        return "list"
    if get_origin(annotation) in (Union, UnionType):
        kinds = [_kind(each) for each in get_args(annotation) if each is not type(None)]
        return " or ".join(dict.fromkeys(kinds))
    return "name, with arguments" if annotation.__name__ == "Component" else "mapping"
