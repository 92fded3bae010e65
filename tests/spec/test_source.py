"""Every fault of the YAML text has a message and a place; valid text becomes values with places."""

import pytest

from nnrun.spec import source
from nnrun.spec.rendering import render


def faults(text: str) -> list[str]:
    """The faults of a text, without the source lines."""
    document = source.read(text, source="x.yaml")
    return [render(fault).splitlines()[0] for fault in document.faults]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: - b\n", "1:4: NN002: a list must begin on a line of its own"),
        ("a: *x", "1:4: NN002 a: '*x' is undefined: there is no '&x' before it"),
        ("a: &a [*a]", "1:8: NN002 a[0]: '*a' is undefined: there is no '&a' before it"),
        ("1.5: 2", '1:1: NN002: a key must be a word; write "1.5" in quotes to make it one'),
        ("[1]: 2", "1:1: NN002: a key must be a word, not a list or a mapping"),
        ("a: &x 1\n*x : 2", "2:1: NN002: a key must be a word; write \"*x\" in quotes to make it one"),
        ("x: 1\ny: 2\nx: 3", "3:1: NN005 x: written twice, first in line 1"),
    ],
)  # fmt: skip
def test_a_bad_text_is_explained(text, message):
    assert faults(text) == [f"x.yaml:{message}"]


def test_several_faults_are_found_in_one_reading():
    assert [line.split()[1].strip(":") for line in faults("a: !x 1\na: 2\n1.5: 2\n<<: {}\n")] == [
        "NN006",
        "NN005",
        "NN002",
        "NN008",
    ]


def test_aliases_have_the_value_of_their_anchor():
    document = source.read("a: &x {b: [1, 2]}\nc: *x", source="x.yaml")

    assert document.root.plain() == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}


@pytest.mark.parametrize("text", ["[" * 60, "{a: " * 60, "- " * 60 + "x", "? " * 60])
def test_more_than_fifty_levels_are_refused(text):
    [fault] = faults(text)

    assert fault.endswith("more than 50 nested lists and mappings")


def test_fifty_levels_are_read():
    assert faults("[" * 50 + "]" * 50) == []


@pytest.mark.parametrize("text", ["", "# a remark\n", "\n\n", "---\n"])
def test_an_empty_text_has_no_value(text):
    document = source.read(text, source="x.yaml")

    assert document.faults == ()
    assert document.root is None or document.root.value is None


def test_keys_and_values_have_places():
    text = "model:\n  - Dense: {units: 16}\n"
    root = source.read(text, source="x.yaml").root
    path = ("model", 0, "Dense", "units")
    key, value = root.locate(path, key=True), root.locate(path)

    assert (key.line, key.column, key.length) == (2, 13, 5)
    assert (value.line, value.column, value.length) == (2, 20, 2)
    assert value.text == "  - Dense: {units: 16}"


def test_a_missing_path_has_the_place_of_its_nearest_parent():
    root = source.read("training:\n  epochs: 3\n", source="x.yaml").root

    assert root.locate(("training", "loss")).line == 1
    assert root.locate(("dataset",)).text == ""


def test_an_empty_value_has_the_place_of_its_key():
    root = source.read("a: 1\nb:\n", source="x.yaml").root

    assert root.locate(("b",)).column == 1


def test_columns_count_characters():
    root = source.read("{ä: 漢字, b: 1}", source="x.yaml").root

    assert root.locate(("b",)).column == 12


def test_a_missing_file_gets_the_nearest_name(tmp_path):
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


def test_a_whole_number_is_a_key():
    """As in Keras: `class_weight: {0: 1, 1: 2}`."""
    document = source.read("0: 1\n10: 2", source="x.yaml")

    assert document.faults == ()
    assert document.root.plain() == {"0": 1, "10": 2}
