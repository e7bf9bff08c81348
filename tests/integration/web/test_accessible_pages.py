"""Every page is for everybody: axe-core and our own rules find nothing, wide and on a phone, light and dark."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
import uvicorn
from playwright.sync_api import Browser, Page

from shared.domain.actions import Verb
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.planning.links import Link, Takeover
from shared.domain.passback.takeover_run import (
    CourseCounts,
    TakeoverMode,
    TakeoverRequest,
    TakeoverRun,
    TakeoverState,
)
from tests.integration.chromium import chromium, faults_in_all_looks
from tests.unit.domain.passback.baseline import SECTION_DCID
from tests.unit.web.lti.test_installations import PENDING
from tests.unit.web.site_kit import PASSWORD, VIEWER_PASSWORD, Site
from tests.unit.web.test_pages import ENTRY, NOW, RECORD, store_held_run
from tests.unit.web.test_readiness_pages import store_readiness
from tests.unit.workers.grade_passback.operations.test_takeover import vendors
from tests.unit.workers.grade_passback.school import School
from tests.unit.workers.grade_passback.school_totals import totals_reader
from workers.dev.process_group import free_port

pytestmark = pytest.mark.slow

BATCH = "0123456789abcdef"
PAGES = (
    "/", "/courses", "/courses?problems=1", "/courses?q=nobody", "/courses/101", "/courses/1/plan",
    "/courses/101/history", "/courses/101/student", "/courses/1/student?student=S1",
    "/courses/1/totals", "/courses/1/totals?student=S1",
    "/courses/1/takeover", "/courses/1/takeover/confirm", "/takeover",
    "/dead-letters", "/dead-letters?cause=canvas_500", "/dead-letters/course-101",
    "/dead-letters/confirm?verb=retry&all=1", "/dead-letters/confirm?verb=discard&all=1",
    f"/dead-letters/batches/{BATCH}", "/provisioning", "/provisioning/7", "/provisioning/7/approve",
    "/provisioning/7/discard", "/pause?target=passback&reason=moving", "/readiness", "/readiness?school=9",
    "/canvas", f"/canvas/remove?client_id={PENDING.client_id}", "/actions", "/nothing",
)  # fmt: skip


def furnished_site() -> Site:
    """Return a site that has something to show on every page, and problems of every kind."""
    site = Site()
    school = School()
    site.service.course_reader = school.reader  # type: ignore[misc]  # in place of the one over HTTP
    site.service.totals = totals_reader(school)  # type: ignore[misc]
    vendors(school)
    school.grade("S1", "11", "9")
    by_hand = next(a for a in school.powerschool.assignments_there.values() if a.name == "Reading 2")
    school.powerschool.assignments_there[by_hand.assignment_section_id] = replace(by_hand, created_by_plugin=None)
    site.service.__dict__["powerschool"] = SimpleNamespace(gradebook=school.powerschool)
    link = Link("11", SECTION_DCID, "Reading 1", NOW.date(), 1, 2, taken_over=Takeover("501"))
    site.service.links.save("1", link)
    run = TakeoverRun(TakeoverRequest(TakeoverMode.LINK, 300), "somebody", NOW, NOW, TakeoverState.STOPPED, total=3)
    counts = CourseCounts(2, 0, 1, 3, 4, {"501": 2}, {"other_date": 1})
    site.service.takeover_runs.begin(replace(run.after("101", counts), message="PowerSchool refused it."))
    site.service.records.save(RECORD)
    site.service.lti.save_registration(PENDING)
    site.service.lti.record_launch("10000000000099", "12:abcdef", NOW)
    site.service.audit.add(ENTRY)
    store_held_run(site)
    store_readiness(site)
    for course in ("101", "102"):
        site.service.dead_letters.add(course, None, "canvas_500", "GET /courses/{id}: 500", 6)
    # A name as long as they come: it must not make a phone's page wider than its window.
    site.service.heartbeats.record("provisioning-worker@a-host-of-a-long-name.district.example:1234567")
    site.service.counters.observe(NOW, NOW)
    site.service.pauses.pause("course:101", "somebody", "is moved")
    site.service.changes.request("101", ChangeCause.PERSON)
    site.service.dead_letter_batches.begin(BATCH, Verb.RETRY, "operator", 3)
    return site


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve the site, and yield its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(furnished_site().app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < until
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.mark.parametrize("account", ["operator", "viewer"])
def test_every_page_is_for_everybody(browser: Browser, address: str, account: str) -> None:
    """With everything opened that can be opened, for whoever acts and for whoever looks."""
    found = {}
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{address}/sign-in")
        found["/sign-in"] = faults_in_all_looks(page)
        page.get_by_label(account).check()
        page.get_by_label("Password").fill(password_of(account))
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{address}/")
        for path in PAGES:
            page.goto(address + path)
            open_details(page)
            found[path] = faults_in_all_looks(page)
    assert {path: faults for path, faults in found.items() if faults} == {}


def password_of(account: str) -> str:
    return PASSWORD if account == "operator" else VIEWER_PASSWORD


def open_details(page: Page) -> None:
    for details in page.locator("details").all():
        details.evaluate("(each) => { each.open = true; }")
