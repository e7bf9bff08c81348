"""`passback status` for people: every kind of value has a text, and times are the district's."""

from datetime import UTC, datetime
from io import StringIO
from typing import cast
from zoneinfo import ZoneInfo

import fakeredis
from rich.console import Console

from shared.config import load
from workers.cli.terminal.output import with_local_times
from workers.cli.terminal.status_text import Json, status_text
from workers.container import Container
from workers.status import read_status, status_json

AT = "2031-03-04T12:00:00+00:00"
LISTS = {
    "processes": {"process": "web@host:1", "state": "alive", "age_s": 1.0},
    "waiting": {"course_id": "101", "due_at": AT, "changes": 1},
    "paused": {"target": "course:101", "since": AT, "actor": "rivera", "reason": "exams"},
    "unavailable_systems": {"system": "powerschool", "cause": "powerschool_timeout", "since": AT},
    "unavailable_queries": {"query": "q", "cause": "powerschool_query_missing", "since": AT, "remedy": "Install it."},
    "long_waits": {"course_id": "102", "cause": "canvas_401", "since": AT},
    "held_provisioning": {"run_id": "r1", "school_number": 300},
}
"""An item of each list of the status."""


def shown(found: Json) -> str:
    console = Console(file=StringIO(), width=200)
    with console.capture() as capture:
        console.print(status_text(found))
    return capture.get()


def empty_status() -> Json:
    client = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    return {**status_json(read_status(Container(load({}), redis=client))), "problems": []}


def test_every_list_of_the_status_is_tried() -> None:
    """A new list needs an item above, and reads well as text."""
    assert {name for name, value in empty_status().items() if isinstance(value, list)} == {*LISTS, "problems"}


def test_a_status_with_everything_has_a_text() -> None:
    """Also while something is paused, held or waits."""
    full = {**empty_status(), **{name: [item] for name, item in LISTS.items()}}
    text = shown(cast("Json", with_local_times(full, ZoneInfo("America/Los_Angeles"))))

    assert "All is well." not in text
    assert "course:101, by rivera since 2031-03-04 04:00:00 PST: exams" in text
    assert "course 101: 1 change, due 2031-03-04 04:00:00 PST" in text
    assert "run r1 of school 300" in text
    assert "powerschool since 2031-03-04 04:00:00 PST (powerschool_timeout)" in text
    assert "paused systems" not in text


def test_all_is_well_only_where_something_was_seen_working() -> None:
    """A course is connected and an event has arrived, and nothing is wrong."""
    status = empty_status()
    assert "No problem is known, but not everything was seen working yet." in shown(status)
    status["courses"] = {**cast("Json", status["courses"]), "connected": 3}
    assert "All is well." in shown({**status, "last_event_at": "2031-03-04T12:00:00Z"})


def test_a_real_pause_and_a_held_plan_have_a_text() -> None:
    """As the stores return them."""
    client = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    service = Container(load({}), redis=client)
    service.pauses.pause("passback", "rivera", "moving house")
    text = shown({**status_json(read_status(service)), "problems": []})

    assert "passback, by rivera since" in text


def test_problems_come_first_with_their_remedies() -> None:
    """The first line is what to act on."""
    problem = {"level": "bad", "title": "No worker is running.", "remedy": "Start `passback worker`."}
    first = shown({**empty_status(), "problems": [problem]}).splitlines()[0]

    assert first.strip() == "! No worker is running. Start `passback worker`."


def test_only_fields_of_times_become_local() -> None:
    """A name that looks like a time stays as it is."""
    given = {"name": AT, "at": datetime(2031, 3, 4, 12, tzinfo=UTC), "rows": [{"synced_at": AT, "due_at": None}]}

    assert with_local_times(given, None) == {
        "name": AT,
        "at": "2031-03-04 12:00:00 UTC",
        "rows": [{"synced_at": "2031-03-04 12:00:00 UTC", "due_at": None}],
    }
