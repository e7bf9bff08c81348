"""`passback status` in words: what a person paused, and which system is unavailable."""

from rich.console import Console

from workers.cli.status import _status_table


def text_of(found: dict[str, object]) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(_status_table(found))
    return captured.get()


def test_a_pause_and_an_outage_have_their_own_words() -> None:
    """A pause has its person and reason, an outage its cause; a system is not called paused."""
    pause = {"target": "course:7", "since": "07:12", "actor": "rivera", "reason": "is moved"}
    outage = {"system": "powerschool", "cause": "powerschool_timeout", "since": "07:10"}
    said = text_of(
        {"paused": [pause], "unavailable_systems": [outage], "paused_systems": {"powerschool": 9.0}, "messages": 0}
    )
    assert "course:7 by rivera since 07:12: is moved" in said
    assert "unavailable systems" in said
    assert "powerschool since 07:10 (powerschool_timeout)" in said
    assert "paused systems" not in said


def test_a_held_plan_is_named() -> None:
    """A first run is held in every new installation, of the whole district or of one school."""
    held = [{"run_id": "1", "school_number": None}, {"run_id": "2", "school_number": 100}]
    text = text_of({"held_provisioning": held})

    assert "run 1 of the district" in text
    assert "run 2 of school 100" in text
