"""Whatever a file holds, the reader answers with a sentence, a place, and nothing run."""

import pytest

from nnrun.spec import source
from nnrun.spec.rendering import render


def faults(text: str) -> list[str]:
    """What is wrong with a text, without the source lines."""
    document = source.read(text, source="x.yaml")
    return [render(fault).splitlines()[0] for fault in document.faults]


INDENT = "the indentation does not match the lines above"
SECOND = "a second ':' in one line; put the value in {…}, or in quotes if it is text"
DEEP = "this line is indented too far"
DASH = "the lines above are a list; begin this line with '- ', or indent it"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1, 2\n", "2:4: NN002: a list that begins with '[' is not closed, or a ',' is missing"),
        ("a: {b: 1\nc: 2", "1:4: NN002: a mapping that begins with '{' is not closed, or a ',' is missing"),
        ("a:\n\tb: 1\n", "2:1: NN002: a tab where only spaces are allowed; indent with spaces"),
        ("a: 1\n\tb: 2", "2:1: NN002: a tab where only spaces are allowed; indent with spaces"),
        ("a: b: c", f"1:5: NN002: {SECOND}"),
        ("a: 1\n  b: 2\n", f"2:4: NN002: {DEEP}"),
        ("a:\n  b: 1\n c: 2\n", f"3:2: NN002: {INDENT}"),
        ("- a\nb: 1\n", f"2:1: NN002: {DASH}"),
        ("a: 'x\nb: 2\n", "1:4: NN002: a quoted text is not closed"),
        ("a: 1\nb\n", "2:1: NN002: a key needs a ':' after it"),
        ("a: - b\n", "1:4: NN002: a list must begin on a line of its own"),
        ("a: @x", "1:4: NN002: this character must be in quotes"),
        ("a: *", "1:5: NN002: '*' and '&' need a name after them; or put the value in quotes"),
        ('a: "\\q"', "1:5: NN002: unknown escape after '\\' in double quotes; use single quotes"),
        ("a: \x00", "1:4: NN002: contains the character U+0000; remove it"),
        ("a: *x", "1:4: NN002 a: '*x' is undefined: there is no '&x' before it"),
        ("a: &a [*a]", "1:8: NN002 a[0]: '*a' is undefined: there is no '&a' before it"),
        ("1.5: 2", '1:1: NN002: a key must be a word; write "1.5" in quotes to make it one'),
        ("[1]: 2", "1:1: NN002: a key must be a word, not a list or a mapping"),
        ("<<: {a: 1}", "1:1: NN008: '<<' is not supported; write out the keys, or use `extends: FILE`"),
        ("a: &x 1\n*x : 2", "2:1: NN002: a key must be a word; write \"*x\" in quotes to make it one"),
        ("a: 1\n---\nb: 2", "2:1: NN004: has several documents; a spec is one mapping"),
        ("a: 1\n...\nb: 2", "3:1: NN002: has several documents, or text after its end"),
        ("x: 1\ny: 2\nx: 3", "3:1: NN005 x: written twice, first in line 1"),
        ("a: !foo 1", "1:4: NN006 a: tags such as '!foo' are not allowed; remove it"),
    ],
)  # fmt: skip
def test_a_bad_text_is_explained(text, message):
    assert faults(text) == [f"x.yaml:{message}"]


def test_no_tag_runs_code(tmp_path):
    """The classic way to make a YAML file run a program."""
    target = tmp_path / "made"
    found = faults(f"a: !!python/object/apply:os.mkdir ['{target}']")

    [line] = found
    assert line.startswith("x.yaml:1:4: NN006 a: tags such as '!!python/object/apply:os.mkdir'")
    assert not target.exists()


def test_several_faults_are_found_in_one_reading():
    assert [line.split()[1].strip(":") for line in faults("a: !x 1\na: 2\n1.5: 2\n<<: {}\n")] == [
        "NN006",
        "NN005",
        "NN002",
        "NN008",
    ]


def test_aliases_stand_for_what_their_anchor_named():
    document = source.read("a: &x {b: [1, 2]}\nc: *x", source="x.yaml")

    assert document.root.plain() == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}


def test_a_billion_laughs_are_refused():
    """Ten lines of aliases would otherwise become a billion values."""
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]"]
    for level in range(1, 10):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]")

    [fault] = faults("\n".join(lines))

    assert "NN007" in fault
    assert fault.endswith("more than 50,000 values once aliases are expanded")


@pytest.mark.parametrize("text", ["[" * 60, "{a: " * 60, "- " * 60 + "x", "? " * 60])
def test_deep_nesting_is_refused(text):
    [fault] = faults(text)

    assert fault.endswith("more than 50 nested lists and mappings")


def test_what_is_deep_but_sensible_is_read():
    assert faults("[" * 50 + "]" * 50) == []


@pytest.mark.parametrize("text", ["", "# a remark\n", "\n\n", "---\n"])
def test_an_empty_text_has_no_value(text):
    document = source.read(text, source="x.yaml")

    assert document.faults == ()
    assert document.root is None or document.root.value is None


def test_keys_and_values_know_their_places():
    text = "model:\n  - Dense: {units: 16}\n"
    root = source.read(text, source="x.yaml").root
    path = ("model", 0, "Dense", "units")
    key, value = root.locate(path, key=True), root.locate(path)

    assert (key.line, key.column, key.length) == (2, 13, 5)
    assert (value.line, value.column, value.length) == (2, 20, 2)
    assert value.text == "  - Dense: {units: 16}"


def test_a_path_that_is_not_there_is_placed_at_its_nearest_parent():
    root = source.read("training:\n  epochs: 3\n", source="x.yaml").root

    assert root.locate(("training", "loss")).line == 1
    assert root.locate(("dataset",)).text == ""


def test_a_key_without_a_value_is_placed_at_the_key():
    root = source.read("a: 1\nb:\n", source="x.yaml").root

    assert root.locate(("b",)).column == 1


def test_columns_count_characters():
    root = source.read("{ä: 漢字, b: 1}", source="x.yaml").root

    assert root.locate(("b",)).column == 12


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: \xff\n", "1:4: NN001: is not UTF-8 text; save it as UTF-8 (byte 0xff)"),
        (b"a: 1\nb: \xe4\n", "2:4: NN001: is not UTF-8 text; save it as UTF-8 (byte 0xe4)"),
        (b"x" * 1_000_001, "1:1: NN007: larger than 1,000,000 bytes, too large for a spec"),
    ],
)
def test_a_bad_file_is_explained(tmp_path, data, message):
    path = tmp_path / "x.yaml"
    path.write_bytes(data)
    [fault] = source.read_file(path).faults

    assert render(fault).splitlines()[0] == f"{path}:{message}"


def test_a_missing_file_is_named_with_its_nearest_neighbour(tmp_path):
    (tmp_path / "mnist.yaml").touch()
    path = tmp_path / "mnits.yaml"
    [fault] = source.read_file(path).faults

    assert render(fault) == (
        f"{path}:1:1: NN001: there is no such file; did you mean 'mnist.yaml'?"
    )


def test_a_folder_is_not_a_file(tmp_path):
    [fault] = source.read_file(tmp_path).faults

    assert render(fault) == f"{tmp_path}:1:1: NN001: is a folder, not a file"


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")

    assert source.read_file(path).root.plain() == {"a": 1, "b": 2}


def test_a_number_is_a_key_as_it_is_written():
    """Classes have numbers, and `class_weight: {0: 1, 1: 2}` is how Keras's users write it."""
    document = source.read("0: 1\n10: 2", source="x.yaml")

    assert document.faults == ()
    assert document.root.plain() == {"0": 1, "10": 2}
