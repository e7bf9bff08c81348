"""How long a name is."""

from dataclasses import replace

import pytest

from shared.domain.passback.rules.eligibility import eligibility_findings, name_length
from shared.domain.passback.rules.reasons import Finding, Reason
from tests.unit.domain.passback.baseline import with_assignment


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("Reading &notes ch. 2", 20),
        ("&section", 8),
        ("&notit;", 7),
        ("&amp;", 1),
        ("&#233;&#xE9;&eacute;", 3),
        ("&&amp;;", 3),
        ("", 0),
    ],
)
def test_an_entity_counts_as_its_character(name: str, length: int) -> None:
    """Only one that ends with a semicolon is one."""
    assert name_length(name) == length


@pytest.mark.parametrize(
    ("limit", "length", "detail"),
    [
        (30, 31, "31 characters"),
        (40, 41, "41 characters, the district's limit is 40"),
        (40, 40, None),
        (50, 51, "51 characters, the district's limit is 50"),
    ],
)
def test_the_reason_names_the_limit(limit: int, length: int, detail: str | None) -> None:
    """The usual one is in its sentence; a district's own is in the brackets."""
    found = eligibility_findings(replace(with_assignment(name="x" * length), max_name_chars=limit))
    assert found == (() if detail is None else (Finding(Reason.NAME_TOO_LONG, detail),))
