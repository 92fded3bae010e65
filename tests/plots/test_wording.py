import pytest

from nnrun.plots import style


@pytest.mark.parametrize("limit", [5, 8, 22, 40])
def test_a_shortened_name_keeps_to_its_limit(limit):
    """The limit counts the ellipsis too."""
    assert len(style.shorten("a name of some forty characters, or less", limit)) <= limit


def test_a_short_name_stays_as_it_is():
    """Up to the limit itself."""
    assert style.shorten("sneaker", 7) == "sneaker"


def test_a_word_without_end_is_cut_where_the_limit_is():
    """There is no boundary to end at."""
    assert style.excerpt("x" * 400, 10) == "x" * 10 + "…"


def test_a_word_that_just_fits_is_kept():
    """The limit falls between two words."""
    assert style.excerpt("a film of beauty", 9) == "a film of…"
