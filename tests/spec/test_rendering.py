"""A fault as text: its place, code, message, line and caret."""

from nnrun.errors import Fault, Place
from nnrun.spec.rendering import render


def rendered(text: str, column: int, length: int = 1) -> list[str]:
    place = Place("x.yaml", 1, column, length, text)
    return render(Fault("NN101", "a", "unknown", place)).splitlines()


def test_a_fault_with_a_place_and_a_suggestion():
    place = Place("configs/mnist.yaml", 14, 5, 4, "  - Dens: {units: 16}")
    fault = Fault("NN104", "model[2]", "unknown layer 'Dens'", place, "Dense")

    assert render(fault) == (
        "configs/mnist.yaml:14:5: NN104 model[2]: unknown layer 'Dens'; did you mean 'Dense'?\n"
        "    - Dens: {units: 16}\n"
        "      ^^^^"
    )


def test_a_fault_without_a_place_is_one_line():
    assert render(Fault("NN003", "", "is empty")) == "NN003: is empty"


def test_a_fault_of_a_whole_file_shows_no_line():
    assert rendered("", 1) == ["x.yaml:1:1: NN101 a: unknown"]


def test_tabs_become_spaces():
    assert rendered("a:\tb", 4)[1:] == ["    a:    b", "          ^"]


def test_wide_characters_take_two_columns():
    assert rendered("漢字: b", 5)[1:] == ["    漢字: b", "          ^"]
    assert rendered("漢字: b", 1, 2)[1:] == ["    漢字: b", "    ^^^^"]


def test_escape_sequences_are_escaped():
    [head, line, caret] = rendered("a: \x1b[31mred\x9b b", 4, 1)

    assert line == "    a: \\x1b[31mred\\x9b b"
    assert caret == "       ^^^^"
    assert head == "x.yaml:1:4: NN101 a: unknown"


def test_a_long_line_is_cut_around_the_value():
    text = "a: [" + "1, " * 100 + "X, " + "2, " * 100 + "]"
    [_, line, caret] = rendered(text, text.index("X") + 1)

    assert len(line) <= 106
    assert line[caret.index("^")] == "X"
    assert line.startswith("    …")
    assert line.endswith("…")


def test_a_long_value_is_cut_too():
    [_, line, caret] = rendered("a: " + "x" * 500, 4, 500)

    assert len(line) <= 106
    assert len(caret) <= 104
