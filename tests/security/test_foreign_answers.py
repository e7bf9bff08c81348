"""Any response of Canvas or PowerSchool to any request of a sync: the sync ends in time, and no sink holds a name.

A property over sizes, types, texts, values and pages; speeds are tested over sockets in `test_exchanges.py`, and with
real processes in `test_dripping_systems.py`.
"""

import json
import logging
import time
from pathlib import Path
from typing import Any

import fakeredis
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.outcome import Discard, Done, Retry, Snooze
from tests.unit.workers.grade_passback import test_privacy_canary as canary
from tests.unit.workers.grade_passback.test_privacy_canary import (
    COURSE,
    CREATE,
    NAME,
    QUERY,
    SCORE,
    SCORES,
    SPOKEN,
    WORK,
    run,
)

# A sync has two attempts here; each of them reads at most a few of the answers below.
BOUND_S = 60.0
ROUTES = (
    ("GET", f"{COURSE}/assignments"),
    ("GET", f"{COURSE}/assignment_groups"),
    ("GET", f"{COURSE}/sections"),
    ("GET", f"{COURSE}/students/submissions"),
    ("GET", COURSE),
    ("POST", "/oauth/access_token"),
    ("GET", "/ws/v1/metadata"),
    ("GET", "/ws/xte/teacher_category"),
    ("POST", f"{QUERY}roster.sections"),
    ("POST", f"{QUERY}roster.students"),
    ("POST", f"{QUERY}gradebook.state"),
    ("POST", CREATE),
    ("PUT", SCORES),
)

# Legal JSON with extreme numbers and texts.
LITERALS = (
    "null", "true", "-1", "0", "1e999999999999999999999", "1e400", "-1E-9999999", "9" * 5000, "0." + "3" * 5000,
    f'"{SCORE}"', f'"{NAME}"', f'"{WORK}"', '""', '"\\ud800"', '"\\u0000"', '"\\u001b[31m"', '"0001-01-01T00:00:00Z"',
    '"20261-12-05"', '"9999-12-31T23:59:59+14:00"', '"NaN"', '"1e999999"', "[]", "{}", "[[]]", f'{{"name": "{NAME}"}}',
    "[" * 600 + "]" * 600,
    json.dumps("x'" * 100_000),
    json.dumps(f"{NAME} " * 20_000),
    json.dumps("<div>" * 20_000),
    json.dumps("\U0001f389" * 3_000),
)  # fmt: skip
TEXTS = (SPOKEN, NAME.upper(), f"Student {NAME} scored {SCORE} on {WORK}", f"{NAME}.{WORK}".replace(" ", "_"))
TYPES = ("application/json", "text/plain", "text/html", "application/json; charset=bz2", "")
STATUSES = (200, 201, 204, 302, 400, 401, 403, 404, 409, 412, 418, 422, 429, 500, 503, 504, 599)
HEADERS = (
    {},
    {"Retry-After": "9" * 400},
    {"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"},
    {"Link": f'<https://canvas.test{COURSE}/assignments?page=2>; rel="next"'},
    {"Link": '<file:///etc/passwd>; rel="next"'},
    {"Link": '<https://[>; rel="next"'},
    {"X-Rate-Limit-Remaining": "nan", "X-Request-Cost": "1e400"},
    {"Location": "/" + "1" * 5000, "AssignmentSectionIds": "9" * 5000},
    {"Date": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"},
)

texts = st.sampled_from(TEXTS).map(lambda text: json.dumps({"message": text, "errors": [{"field": text}] * 3}))
bodies = st.one_of(st.sampled_from(LITERALS), texts, st.just(f"<html>{NAME} {SCORE}</html>"), st.just(""))


@st.composite
def answers(draw: st.DrawFn, good: httpx.Response) -> httpx.Response:
    """Return any answer, or a good one with one of its values replaced."""
    headers = {"Content-Type": draw(st.sampled_from(TYPES)), **draw(st.sampled_from(HEADERS))}
    if draw(st.booleans()) and good.content:
        body = draw(damaged(good.content.decode()))
        return httpx.Response(200, content=body.encode(), headers={"Content-Type": "application/json"})
    return httpx.Response(draw(st.sampled_from(STATUSES)), content=draw(bodies).encode(), headers=headers)


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """Return JSON with one of its values replaced by a literal."""
    content = json.loads(text)
    places = list(_places(content))
    if not places:
        return draw(st.sampled_from(LITERALS))
    holder, key = draw(st.sampled_from(places))
    holder[key] = "@here@"
    return json.dumps(content).replace('"@here@"', draw(st.sampled_from(LITERALS)))


def _places(content: Any) -> list[tuple[Any, Any]]:
    """Return where a value is that can be replaced; ids are for systems to choose, and may be repeated."""
    found: list[tuple[Any, Any]] = []
    keys: Any = (
        content.keys() if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    )
    for key in keys:
        if not (isinstance(key, str) and key.endswith(("id", "dcid", "number"))):
            found.append((content, key))
        found += _places(content[key])
    return found


def everything(tmp_path: Path) -> tuple[Any, Any]:
    """Return the settings and the systems of the canary's course; what is not scripted there is not found."""
    fixtures: Any = canary
    remote = fixtures.remote.__wrapped__()
    remote.answers.default_factory = lambda: [httpx.Response(404, json={"message": SPOKEN})]
    return fixtures.settings.__wrapped__(tmp_path), remote


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=[path.rpartition("/")[2] or path for _, path in ROUTES])
@given(data=st.data())
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_is_answered_a_sync_ends_and_names_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, method: str, path: str, data: st.DataObject
) -> None:
    """A sync raises nothing, uses little processor time, and leaves no canary in any sink."""
    installation, remote = everything(tmp_path)
    good = remote.answers[method, path][-1]
    remote.on(method, path, data.draw(answers(good), label="answer"))
    caplog.clear()
    started = time.process_time()
    with caplog.at_level(logging.INFO), fakeredis.FakeRedis() as client:
        sinks = run(installation, remote, client)
        left_behind = sinks.text(caplog)
    assert time.process_time() - started < BOUND_S
    assert all(isinstance(outcome, Done | Snooze | Retry | Discard) for outcome in sinks.outcomes)
    assert [each for each in canary.CANARIES if each.lower() in left_behind.lower()] == []
    assert "defect_" not in left_behind
