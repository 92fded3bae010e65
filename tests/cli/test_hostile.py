"""Run folders of others with valid checksums: no control character is obeyed, nothing crashes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import foreign
import pytest
from foreign import FORMATS, NAME, SPEC
from typer.testing import CliRunner, Result

from nnrun.cli.app import app
from nnrun.runs import layout

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def answer(*arguments: object, root: Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"NNRUN_RUNS": str(root)})


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return foreign.write_runs(tmp_path_factory.mktemp("runs"))


VERBS: dict[str, tuple[str, ...]] = {
    "list": ("list",),
    "list --json": ("list", "--json"),
    "show": ("show", "RUN"),
    "show a cross-validation": ("show", "FOLDS"),
    "show --json": ("show", "RUN", "--json"),
    **{f"compare --format {name}": ("compare", "--format", name) for name in FORMATS},
    "compare by an unknown metric": ("compare", "--metric", NAME + "x"),
    "compare other folders": ("compare", "NOTHING"),
    "clean --dry-run": ("clean", "--keep-best", "1", "--dry-run"),
    "clean --dry-run --json": ("clean", "--older-than", "1h", "--dry-run", "--json"),
    "clean other folders": ("clean", f"{NAME}/x", "--dry-run"),
    "resume": ("resume", "RUN"),
    "resume a cross-validation": ("resume", "FOLDS"),
    "check": ("check", "SPEC"),
    "check --json": ("check", "SPEC", "--json"),
    "check --format github": ("check", "SPEC", "--format", "github"),
    "check a missing file": ("check", f"{NAME}.yaml"),
    "train": ("train", "SPEC"),
    "smoke": ("smoke", "SPEC"),
    "smoke --json": ("smoke", "SPEC", "--json"),
    "an unknown option": ("show", f"--{NAME}"),
    "an unknown verb": (NAME,),
    "explain": ("explain", NAME),
    "keys": ("keys", NAME),
    "data": ("data", "verify", NAME),
}


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_obeys_control_characters(verb: str, odd: Path, tmp_path: Path) -> None:
    first, folds, *_ = sorted(path for path in odd.iterdir())
    spec = tmp_path / f"{NAME}.yaml"
    spec.write_text(SPEC.replace("units", "unitz").replace("iris", '"a\\e[31m"'), "utf-8")
    named = {"RUN": first, "FOLDS": folds, "SPEC": spec, "NOTHING": tmp_path / NAME}
    result = answer(*(named.get(word, word) for word in VERBS[verb]), root=odd)
    output = result.stdout + result.stderr

    assert isinstance(result.exception, SystemExit | None), result.exc_info
    assert output
    assert not STEERING.search(output)
    assert not [line for line in output.splitlines() if line.startswith("::error::x")]


def test_html_escapes_tags(odd: Path) -> None:
    page = answer("compare", "--format", "html", root=odd).stdout

    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_markdown_escapes_tags_and_columns(odd: Path) -> None:
    page = answer("compare", "--format", "md", root=odd).stdout
    rows = [line for line in page.splitlines() if line.startswith("|")]

    assert "<script" not in page
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_csv_escapes_formulas(odd: Path) -> None:
    cells = answer("compare", "--format", "csv", root=odd).stdout

    assert not re.search(r"""(^|[,\n])"?[=+@]""", cells)


def test_json_has_the_exact_name(odd: Path) -> None:
    names = [run["name"] for run in json.loads(answer("list", "--json", root=odd).stdout)["runs"]]

    assert names == [NAME, NAME, f"{NAME}2"]


def test_a_name_is_not_drawn_as_mathematics(odd: Path, tmp_path: Path) -> None:
    """Matplotlib parses text between two dollar signs."""
    root = shutil.copytree(odd, tmp_path / "runs")
    for number, path in enumerate(sorted(root.iterdir())):
        foreign.rewrite(
            path / layout.RUN, lambda record, n=number: record | {"name": f"$\\frac{{$ {{{n}"}
        )
    drawn = answer("compare", "--plot", tmp_path / "plot.png", root=root)

    assert (drawn.exit_code, drawn.exception) == (0, None)
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_values_of_wrong_types_never_end_in_a_traceback() -> None:
    """`make faults` tries more of them."""
    foreign.run(range(15))


@pytest.mark.parametrize(
    ("words", "code"),
    [(("list",), 0), (("compare",), 2), (("clean", "--older-than", "1d", "--dry-run"), 0)],
    ids=["list", "compare", "clean"],
)
def test_a_folder_with_a_too_long_name_has_no_runs(words: tuple[str, ...], code: int) -> None:
    result = answer(*words, root=Path("x" * 5000))

    assert isinstance(result.exception, SystemExit | None), result.exc_info
    assert result.exit_code == code
