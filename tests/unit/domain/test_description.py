from hypothesis import given
from hypothesis import strategies as st

from shared.domain.description import MAX_BYTES, fitted


def test_short_descriptions_stay_as_they_are() -> None:
    """Up to 4,000 bytes."""
    assert fitted("x" * 4000) == "x" * 4000


def test_no_tag_is_cut_open() -> None:
    """A tag that does not fit is left out whole."""
    assert fitted("x" * 3990 + '<a href="https://district.test">') == "x" * 3990


def test_no_entity_is_cut_open() -> None:
    """Nor an entity."""
    assert fitted("x" * 3998 + "&amp; more") == "x" * 3998


@given(st.text(alphabet="ab<>&;é✓ ", max_size=6000))
def test_what_fits_fits_again(html: str) -> None:
    """Never longer than the column, never something else, and the same the second time."""
    once = fitted(html)
    assert len(once.encode()) <= MAX_BYTES
    assert html.startswith(once)
    assert fitted(once) == once
