"""A fault reads the same everywhere, and its caret stands under the culprit."""

from nnrun.errors import Fault, Place
from nnrun.spec.rendering import render


def rendered(text: str, column: int, length: int = 1) -> list[str]:
    place = Place("x.yaml", 1, column, length, text)
    return render(Fault("NN101", "a", "unknown", place)).splitlines()


def test_the_anatomy():
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


def test_escape_sequences_are_shown_and_not_sent():
    """A spec from a stranger must not recolour or rewrite the terminal."""
    [head, line, caret] = rendered("a: \x1b[31mred\x9b b", 4, 1)

    assert line == "    a: \\x1b[31mred\\x9b b"
    assert caret == "       ^^^^"
    assert head == "x.yaml:1:1: NN101 a: unknown".replace(":1:1", ":1:4")


def test_a_long_line_is_cut_around_the_culprit():
    text = "a: [" + "1, " * 100 + "X, " + "2, " * 100 + "]"
    [_, line, caret] = rendered(text, text.index("X") + 1)

    assert len(line) <= 106
    assert line[caret.index("^")] == "X"
    assert line.startswith("    …")
    assert line.endswith("…")


def test_a_long_culprit_is_cut_too():
    [_, line, caret] = rendered("a: " + "x" * 500, 4, 500)

    assert len(line) <= 106
    assert len(caret) <= 104
