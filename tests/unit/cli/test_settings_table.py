"""The table of settings."""

from shared.config import variable_names
from workers.cli.docs import BEGIN, END, settings_table, with_settings_table


def test_every_setting_has_a_row() -> None:
    """The table holds each variable once, in the order of the settings."""
    rows = settings_table().splitlines()[2:]

    assert [row.split("`")[1] for row in rows] == variable_names()
    assert {row.replace("\\|", "").count("|") for row in rows} == {6}


def test_a_row_says_type_unit_and_default() -> None:
    """A duration's row names its unit; its default reads as one would write it."""
    (row,) = [row for row in settings_table().splitlines() if "`PASSBACK_RETRY_WAITS_S`" in row]

    assert row.startswith("| `PASSBACK_RETRY_WAITS_S` | list of numbers | s | `2,10,60,300,1800` |")


def test_what_stands_between_the_markers_is_replaced() -> None:
    """Only the text between the markers changes."""
    document = with_settings_table(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    assert document == f"before\n{BEGIN}\n{settings_table()}\n{END}\nafter\n"
