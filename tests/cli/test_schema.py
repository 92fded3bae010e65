"""`nnrun schema`: the document on stdout or in a file, and the lines that name it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from nnrun.cli.app import app
from nnrun.spec import schema

HINT = "first lines of a spec in this folder, for editors:\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["schema", *arguments])


def test_the_schema_is_the_answer() -> None:
    told = answer()

    assert (told.exit_code, told.stderr) == (0, "")
    assert json.loads(told.stdout) == schema.schema()


def test_a_file_is_written_and_the_lines_that_name_it_are_said() -> None:
    told = answer("-o", schema.FILE)

    assert (told.exit_code, told.stdout) == (0, "")
    assert told.stderr == HINT + (
        "# yaml-language-server: $schema=nnrun.schema.json\n# $schema: nnrun.schema.json\n"
    )
    assert Path(schema.FILE).read_text(encoding="utf-8") == schema.text()
    assert [path.name for path in Path().iterdir()] == [schema.FILE]


def test_a_spec_here_names_a_file_elsewhere_by_the_way_to_it(folder: Path) -> None:
    (folder / "a").mkdir()
    told = answer("-o", str(folder / "a" / "b.json"))

    assert told.stderr.endswith("# $schema: a/b.json\n")


@pytest.mark.parametrize(
    ("arguments", "name"), [([], schema.FILE), (["--output", "my.json"], "my.json")]
)
def test_the_lines_alone_are_an_answer_too(arguments: list[str], name: str) -> None:
    told = answer("--header", *arguments)

    assert (told.exit_code, told.stderr) == (0, "")
    assert told.stdout == "".join(f"{line}\n" for line in schema.header(name))


def test_a_file_that_is_there_is_replaced_whole() -> None:
    Path("a.json").write_text("old", encoding="utf-8")
    answer("-o", "a.json")

    assert Path("a.json").read_text(encoding="utf-8") == schema.text()


@pytest.mark.parametrize(
    ("name", "reason"), [("none/a.json", "No such file or directory"), ("full", "Is a directory")]
)
def test_a_file_that_cannot_be_written_is_said(name: str, reason: str, folder: Path) -> None:
    (folder / "full").mkdir()
    told = answer("-o", name)

    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr == f"error: {name}: cannot be written: {reason}\n"
    assert [path.name for path in Path().iterdir()] == ["full"]


def test_a_link_stays_a_link_and_a_device_a_device(folder: Path) -> None:
    """As root, exchanging them would take `/dev/null` away from everybody."""
    (folder / "there.json").write_text("old", encoding="utf-8")
    (folder / "link.json").symlink_to("there.json")

    assert answer("-o", "link.json").exit_code == 0
    assert (folder / "link.json").is_symlink()
    assert (folder / "there.json").read_text(encoding="utf-8") == schema.text()
    assert answer("-o", "/dev/null").exit_code == 0
    assert Path("/dev/null").is_char_device()
