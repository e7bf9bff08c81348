import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.passback.planning.diff import (
    MAX_BYTES,
    clean_description,
    is_same_description,
    truncate_html,
)


def test_short_descriptions_stay_as_they_are() -> None:
    """Up to 4,000 bytes."""
    assert truncate_html("x" * 4000) == "x" * 4000


def test_no_tag_is_cut_open() -> None:
    """A tag that does not fit is left out whole."""
    assert truncate_html("x" * 3990 + '<a href="https://district.test">') == "x" * 3990


def test_no_entity_is_cut_open() -> None:
    """Nor an entity."""
    assert truncate_html("x" * 3998 + "&amp; more") == "x" * 3998


@given(st.text(alphabet="ab<>&;é✓ ", max_size=6000))
def test_what_fits_fits_again(html: str) -> None:
    """Never longer than the column, never something else, and the same the second time."""
    once = truncate_html(html)
    assert len(once.encode()) <= MAX_BYTES
    assert html.startswith(once)
    assert truncate_html(once) == once


DECORATED = (
    '<link rel="stylesheet" href="https://instructure-uploads.example/account_1/mobile.css">'
    '<script src="https://instructure-uploads.example/account_1/mobile.js"></script>'
    '<p>Read.</p><a href="/files/7/download?verifier=abc&amp;wrap=1">x</a>'
)


@pytest.mark.parametrize(
    ("html", "form"),
    [
        (DECORATED, '<p>Read.</p><a href="/files/7/download?wrap=1">x</a>'),
        (
            '<img src="/courses/1/files/8/preview?verifier=q#a" alt="z">',
            '<img src="/courses/1/files/8/preview#a" alt="z">',
        ),
        ('<a href="https://a.example/sign?verifier=1">x</a>', '<a href="https://a.example/sign?verifier=1">x</a>'),
        ('<style>p {}</style><p onclick="go()">1 &lt; 2 &amp; 3</p>', "<p>1 &lt; 2 &amp; 3</p>"),
        (DECORATED.split("<p>", maxsplit=1)[0], ""),
        ("Chapters one & two.", "Chapters one &amp; two."),
        ("Chapters one and two.", "Chapters one and two."),
    ],
)
def test_one_form(html: str, form: str) -> None:
    """Without theme tags, scripts and the verifiers of files; what else is in an address stays."""
    assert clean_description(html) == form


@given(st.text(alphabet='ab<>&;"/= ', max_size=200))
def test_the_form_of_the_form_is_the_form(html: str) -> None:
    """It may be taken of anything, any number of times."""
    assert clean_description(clean_description(html)) == clean_description(html)


def test_a_long_description_is_the_same_once_it_was_cut() -> None:
    """PowerSchool's column ends within an element."""
    wanted = "<p>" + "x" * 5000 + "</p>"
    assert is_same_description(wanted, truncate_html(clean_description(wanted)))
    assert not is_same_description(wanted, truncate_html(clean_description(wanted))[:-1])


def test_a_theme_says_nothing() -> None:
    """A description that an earlier version stored with the theme is no difference."""
    assert is_same_description('<p>Read.</p><a href="/files/7/download?wrap=1">x</a>', DECORATED)
