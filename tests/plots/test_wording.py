import pytest

from nnrun.plots import wording


@pytest.mark.parametrize("limit", [5, 8, 22, 40])
def test_a_shortened_name_keeps_to_its_limit(limit):
    """The limit counts the ellipsis too."""
    assert len(wording.shortened("a name of some forty characters, or less", limit)) <= limit


def test_a_short_name_stays_as_it_is():
    """Up to the limit itself."""
    assert wording.shortened("sneaker", 7) == "sneaker"


def test_a_word_without_end_is_cut_where_the_limit_is():
    """There is no boundary to end at."""
    assert wording.excerpt("x" * 400, 10) == "x" * 10 + "…"


def test_a_word_that_just_fits_is_kept():
    """The limit falls between two words."""
    assert wording.excerpt("a film of beauty", 9) == "a film of…"
