"""The pages and the API of takeovers, over a course whose assignments another integration made."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from shared.domain.actions import Verb
from shared.domain.passback.powerschool import Score
from shared.domain.passback.takeover_run import TakeoverState
from tests.unit.web.site_kit import PASSWORD, VIEWER_PASSWORD, Browser, FakePeople, Site
from tests.unit.workers.grade_passback.operations.test_takeover import vendors
from tests.unit.workers.grade_passback.school import School


class VendorSite(Site):
    """A site over a school where plugin 501 made both assignments, with another score in each."""

    def __init__(self) -> None:
        self.school = school = School()
        vendors(school)
        for id_, actual in school.powerschool.assignments_there.items():
            scores = {**actual.scores, 501: Score(Decimal(7))}
            school.powerschool.assignments_there[id_] = replace(actual, scores=scores)
        super().__init__(redis=school.stores.redis)  # type: ignore[arg-type]
        self.service.course_reader = school.reader  # type: ignore[misc]
        self.service.__dict__["powerschool"] = type("PowerSchool", (), {"gradebook": school.powerschool})
        self.service.__dict__["canvas_account"] = FakePeople()
        self.service.records.register("1")

    def linked(self) -> int:
        return len(self.school.links.of_course("1"))

    def ended(self) -> TakeoverState:
        until = time.monotonic() + 20
        while True:
            run = self.service.takeover_runs.newest()
            assert run is not None
            if run.state is not TakeoverState.RUNNING:
                return run.state
            assert time.monotonic() < until
            time.sleep(0.02)


@pytest.fixture
def site() -> Iterator[VendorSite]:
    site = VendorSite()
    yield site
    site.service.__dict__.pop("powerschool")
    site.service.close()


@pytest.fixture
def operator(site: VendorSite) -> Browser:
    return site.browser("operator")


def test_a_course_shows_what_would_be_linked(operator: Browser) -> None:
    """Both sides, the scores that would change, and whose they are."""
    text = operator.text("/courses/1/takeover")
    assert "2 assignments would be linked. The next sync overwrites 2 scores." in text
    assert "made by 501" in text
    assert "7 of 10 → 8 of 10" in text
    assert "Take over 2 …" in text


def test_a_question_comes_before_what_cannot_be_undone(site: VendorSite, operator: Browser) -> None:
    """It says how much is overwritten; nothing is linked by looking."""
    text = operator.text("/courses/1/takeover/confirm")
    assert "overwrites 2 scores: that cannot be undone" in text
    assert site.linked() == 0
    assert operator.post("/courses/1/takeover", {}).headers["location"] == "/courses/1/takeover?done=takeover"
    assert site.linked() == 2
    (action,) = [a for a in site.service.actions.newest(9) if a.verb is not Verb.SIGN_IN]
    assert (action.verb, action.target, action.count) == (Verb.TAKE_OVER, "course:1", 2)
    assert site.service.changes.state_of("1").pending is not None
    assert operator.get("/courses/1/takeover/confirm").status_code == 409


def test_one_alone_is_taken_over_and_given_back(site: VendorSite, operator: Browser) -> None:
    """Each by its own; the course says what can be given back."""
    operator.get("/courses/1/takeover/confirm?assignment=11&made_by=501")
    operator.post("/courses/1/takeover", {"assignment": "11", "made_by": "501"})
    assert site.linked() == 1
    assert "Give back" in operator.text("/courses/1/takeover")
    operator.post("/courses/1/takeover/undo", {"assignment": "11"})
    assert site.linked() == 0


def test_a_doubtful_one_can_be_chosen(site: VendorSite, operator: Browser) -> None:
    """Of another day: the page leads to the question for just this one."""
    there = site.school.powerschool.assignments_there
    (id_, *_) = there
    there[id_] = replace(there[id_], points=Decimal(20))
    page = operator.get("/courses/1/takeover").text
    assert f"assignment=11&amp;to={id_}" in page
    operator.get(f"/courses/1/takeover/confirm?assignment=11&to={id_}")
    operator.post("/courses/1/takeover", {"assignment": "11", "to": str(id_)})
    assert [link.assignment_id for link in site.school.links.of_course("1").values()] == ["11"]


@pytest.mark.parametrize(
    "query", ["?to=70", "?assignment=x", "?assignment=11&to=x", "?made_by=" + "m" * 101, "?made_by=" + "m," * 21]
)
def test_what_is_no_selection_is_refused(operator: Browser, query: str) -> None:
    """Before anything is read."""
    assert operator.get(f"/courses/1/takeover{query}").status_code == 422


def test_viewers_look_and_do_not_act(site: VendorSite) -> None:
    """They see no score and no button, and their forms are refused."""
    viewer = site.browser("viewer")
    page = viewer.get("/courses/1/takeover").text
    assert "7 of 10" not in page
    assert "Take over 2" not in page
    viewer.get("/takeover")
    for path in ("/courses/1/takeover", "/courses/1/takeover/undo", "/takeover", "/takeover/cancel"):
        assert viewer.post(path, {"mode": "link"}).status_code == 403
    assert site.linked() == 0


def test_many_courses_on_the_page(site: VendorSite, operator: Browser) -> None:
    """A dry run and an undo begin at once, a takeover after its question; the page shows how it ended."""
    site.service.pauses.pause("passback", "ada", "takeover")
    operator.get("/takeover")
    operator.post("/takeover", {"mode": "dry_run", "school": "", "made_by": ""})
    assert site.ended() is TakeoverState.DONE
    assert "1 of 1 course. 2 assignments would be linked" in operator.text("/takeover")
    assert site.linked() == 0
    question = operator.post("/takeover/confirm", {"school": "", "made_by": "501"})
    assert "Assignments that 501 made are linked in all connected courses" in question.text
    operator.post("/takeover", {"mode": "link", "made_by": "501"})
    assert site.ended() is TakeoverState.DONE
    assert site.linked() == 2
    operator.get("/takeover")
    operator.post("/takeover", {"mode": "undo"})
    assert site.ended() is TakeoverState.DONE
    assert site.linked() == 0


@pytest.mark.parametrize("form", [{"mode": "all"}, {"mode": "link", "school": "x"}])
def test_a_run_that_makes_no_sense_is_refused(operator: Browser, form: dict[str, str]) -> None:
    """And nothing begins."""
    operator.get("/takeover")
    assert operator.post("/takeover", form).status_code == 422


def test_a_school_without_courses_is_refused(site: VendorSite, operator: Browser) -> None:
    """A mistyped number would end with nothing done, and look like success."""
    operator.get("/takeover")
    refused = operator.post("/takeover", {"mode": "dry_run", "school": "999"})
    assert refused.status_code == 404
    assert "No course is of school 999" in refused.text
    answer = call(site, "POST", "/takeover", json={"mode": "link", "school": 999})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "school_unknown")
    assert site.service.takeover_runs.newest() is None


def call(site: Site, method: str, path: str, account: str = "operator", **given: Any) -> httpx.Response:
    """Return the answer to one request under `/api/v1`."""

    async def one() -> httpx.Response:
        password = {"operator": PASSWORD, "viewer": VIEWER_PASSWORD}[account]
        auth = httpx.BasicAuth(account.encode(), password.encode())
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(site.app), base_url="http://passback.test/api/v1", auth=auth
        ) as client:
            return await client.request(method, path, **given)

    return asyncio.run(one())


def test_the_api_takes_a_course_over_and_gives_it_back(site: VendorSite) -> None:
    """As the command and the page do."""
    plan = call(site, "GET", "/courses/1/takeover?made_by=501").json()
    assert (plan["done"], [c["link"] for c in plan["candidates"]], plan["makers"]) == (False, [True, True], {"501": 2})
    assert site.linked() == 0
    done = call(site, "POST", "/courses/1/takeover", json={"made_by": ["501"]})
    assert (done.status_code, done.json()["done"], site.linked()) == (202, True, 2)
    assert call(site, "POST", "/courses/1/takeover", json={}).json()["candidates"] == []
    undone = call(site, "POST", "/courses/1/takeover/undo", json={"assignment_id": "11"}).json()
    assert ([each["assignment_id"] for each in undone["undone"]], site.linked()) == (["11"], 1)


def test_the_api_takes_many_courses_over(site: VendorSite) -> None:
    """With progress; one run at a time; cancelling what does not run changes nothing."""
    assert call(site, "GET", "/takeover").status_code == 404
    site.service.pauses.pause("passback", "ada", "takeover")
    assert call(site, "POST", "/takeover", json={"mode": "link"}).status_code == 202
    assert site.ended() is TakeoverState.DONE
    run = call(site, "GET", "/takeover").json()
    assert (run["state"], run["done"], run["total"], run["counts"]["linked"]) == ("done", 1, 1, 2)
    assert call(site, "POST", "/takeover/cancel", headers={"X-Requested-With": "x"}).json() == {"cancelled": False}


def test_the_api_refuses_viewers_and_forgeries(site: VendorSite) -> None:
    """And a busy course, with the time to try again."""
    for path in ("/courses/1/takeover", "/courses/1/takeover/undo", "/takeover/cancel"):
        assert call(site, "POST", path, "viewer", json={}).status_code == 403
        assert call(site, "POST", path).status_code == 403
    assert call(site, "POST", "/courses/1/takeover", json={"to": 5}).status_code == 409
    site.service.redis.hset(site.service.keys.taken("1"), "token", 1)
    site.service.takeover.__dict__["sleep"] = lambda _: None
    busy = call(site, "POST", "/courses/1/takeover", json={})
    assert (busy.status_code, busy.json()["error"]["code"]) == (503, "course_busy")
    assert "retry-after" in busy.headers
