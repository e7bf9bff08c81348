"""Makes the pictures of the guide: a school day on the sandbox, some failures, and every page in a real browser.

    python tests/browser/screenshots.py FOLDER [--guide] [--keep]

Needs the extras demo and test, and Chromium. With --guide only the pictures of the guide are taken; otherwise every
page as a whole, light and dark, wide and on a phone, to be looked at. With --keep everything stays up afterwards.

A palette makes the guide's pictures a third as large: `pngquant 96 --ext .png --force FOLDER/*.png`.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from shared.clock import SystemClock
from shared.config import load
from shared.domain.actions import course_target
from shared.queues import Stream
from shared.sandbox.district.small import Ids, user_id_of
from workers.container import Container
from workers.dev.demo.client import DemoClient
from workers.dev.demo.scenario import DemoScenario
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.process_group import ProcessGroup, free_port, process_group, without_settings
from workers.dev.sandbox import install_in_canvas, lti_settings, point_events, sandbox_settings, start_sandboxes

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    # Playwright loses a frame that changes its process while it is redirected.
    "--disable-site-isolation-trials",
]  # fmt: skip
PASSWORD = "pictures-operator"
SIZES = {"wide": (1180, 820), "phone": (390, 844)}
PAGES = {
    "overview": "/",
    "courses": "/courses",
    "courses-problems": "/courses?problems=1",
    "course": f"/courses/{Ids.COURSE}",
    "plan": f"/courses/{Ids.OUTAGE_COURSE}/plan",
    "student": f"/courses/{Ids.COURSE}/student?student={Ids.STUDENTS_A[0]}",
    "history": f"/courses/{Ids.HEALTHY_COURSE}/history",
    "dead-letters": "/dead-letters",
    "dead-letter": f"/dead-letters/assignment-{Ids.OUTAGE_COURSE}-{Ids.OUTAGE_COURSE * 10 + 1}",
    "confirm": "/dead-letters/confirm?verb=retry&cause=powerschool_error",
    "provisioning": "/provisioning",
    "provisioning-run": "/provisioning/1",
    "actions": "/actions",
}

# The pictures of status-pages.md: page, size, colours, height.
GUIDE = {
    "overview": ("/", "wide", "light", 1040),
    "course": (f"/courses/{Ids.COURSE}", "wide", "light", 1240),
    "dead-letters": ("/dead-letters", "wide", "dark", 820),
    "provisioning": ("/provisioning/1", "wide", "light", 1000),
    "course-phone": (f"/courses/{Ids.COURSE}", "phone", "dark", 1100),
}


# The pictures of teacher-page.md: page of the sandbox Canvas, size, height, whether with high contrast, and what is
# pressed in the frame.
INSIDE_CANVAS = {
    "teacher-page": (f"/courses/{Ids.COURSE}/external_tools/1", "wide", 860, False, ""),
    "teacher-page-phone": (f"/courses/{Ids.COURSE}/external_tools/1", "phone", 1100, True, ""),
    "teacher-page-totals": (f"/courses/{Ids.COURSE}/external_tools/1", "wide", 900, True, "Totals"),
    "teacher-page-gradebook": (f"/courses/{Ids.COURSE}/gradebook", "wide", 820, False, ""),
    "teacher-page-groups": (f"/courses/{Ids.COURSE}/external_tools/1", "wide", 820, False, ""),
    "teacher-page-held-up": (f"/courses/{Ids.COURSE}/external_tools/1", "wide", 500, False, "Sync now"),
}
# What is pressed, and what the page has then.
PRESSED = {"Totals": "What makes them differ", "Sync now": "is noted"}


@dataclass
class Installation:
    """Everything that is running."""

    url: str
    stage: DemoClient
    service: Container
    group: ProcessGroup


@contextmanager
def installation() -> Iterator[Installation]:
    """Yield an installation on the sandbox that went through a school day, and has some failures now."""
    with ExitStack() as stack:
        redis = stack.enter_context(EmbeddedRedis(durable=False))
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="passback-pictures-")))
        sandboxes = stack.enter_context(process_group(logs, without_settings()))
        canvas, powerschool = start_sandboxes(sandboxes)
        port = free_port()
        ours = {
            "PASSBACK_REDIS_URL": redis.url, "PASSBACK_OPERATOR_PASSWORD": PASSWORD,
            "PASSBACK_RETRY_WAITS_S": "0.5,1", "PASSBACK_ALLOW_VOLATILE_REDIS": "yes",
            **sandbox_settings(canvas, powerschool), **lti_settings(canvas, f"http://127.0.0.1:{port}"),
        }  # fmt: skip
        group = stack.enter_context(process_group(logs, {**without_settings(), **ours}))
        group.start("web", "web", "--port", str(port))
        # Provisioning has never run here, so that its first plan is held.
        for name in ("worker", "provisioning-worker", "beat"):
            group.start(name, name)
        group.wait_ready(f"http://127.0.0.1:{port}/readyz")
        point_events(canvas, f"http://127.0.0.1:{port}")
        install_in_canvas(canvas, f"http://127.0.0.1:{port}")
        service = stack.enter_context(closing(Container(load(ours, env_file=logs / "no.env"))))
        stage = stack.enter_context(closing(DemoClient(canvas, powerschool, SystemClock())))
        found = Installation(f"http://127.0.0.1:{port}", stage, service, group)
        DemoScenario(stage, service, lambda line: print(line, flush=True), group.check).play()
        yield found


def make_trouble(found: Installation) -> None:
    """Leave dead letters, a message that nobody can read, a paused course, and one that waits."""
    failure = {"method": "PUT", "path_prefix": "/ws/xte/score", "status": 500, "body": "{}", "times": 1000}
    found.stage.powerschool_faults(fail_next=[failure])
    courses = (
        (Ids.COURSE, Ids.ESSAY_DRAFT, Ids.STUDENTS_A[0]),
        (Ids.HEALTHY_COURSE, Ids.HEALTHY_COURSE * 10 + 1, Ids.STUDENTS_HEALTHY[0]),
        (Ids.OUTAGE_COURSE, Ids.OUTAGE_COURSE * 10 + 1, Ids.STUDENTS_OUTAGE[0]),
    )
    for course_id, assignment_id, student in courses:
        found.stage.grade("trouble", course_id, assignment_id, user_id_of(student), 3.5)
    until = time.monotonic() + 40
    while len({letter.course_id for letter in found.service.dead_letters.all()}) < len(courses):
        assert time.monotonic() < until, found.service.dead_letters.all()
        time.sleep(0.2)
    found.stage.powerschool_faults()
    found.service.redis.xadd(found.service.keys.stream(Stream.GRADE_CHANGES), {"v": "9"})
    found.service.pauses.pause(f"course:{Ids.HEALTHY_COURSE}", "operator", "the gradebook is being repaired")
    found.stage.grade("paused", Ids.HEALTHY_COURSE, Ids.HEALTHY_COURSE * 10 + 2, user_id_of(Ids.STUDENTS_HEALTHY[0]), 4)
    time.sleep(4)


def take(found: Installation, browser: Browser, folder: Path) -> None:
    """Take every page as a whole: light and dark, wide and on a phone."""
    for scheme in ("light", "dark"):
        for size in SIZES:
            page = opened(found, browser, size, scheme)
            for name, path in PAGES.items():
                page.goto(found.url + path)
                page.screenshot(path=folder / f"{name}-{size}-{scheme}.png", full_page=True)
            page.context.close()


def take_guide(found: Installation, browser: Browser, folder: Path) -> None:
    """Take what a window shows of the pages that the guide is about."""
    for name, (path, size, scheme, height) in GUIDE.items():
        page = opened(found, browser, size, scheme)
        page.set_viewport_size({"width": SIZES[size][0], "height": height})
        page.goto(found.url + path)
        page.screenshot(path=folder / f"{name}.png")
        page.context.close()


def take_inside_canvas(found: Installation, browser: Browser, folder: Path) -> None:
    """Take what a teacher sees inside Canvas, on a day without failures, of a course that was verified."""
    found.service.verifier.verify(str(Ids.COURSE), "operator", patience=timedelta(seconds=5))
    for name, (path, size, height, is_high, pressed) in INSIDE_CANVAS.items():
        found.stage.act(do="edit_user", user_id=Ids.CANVAS_TEACHER, changes={"prefers_high_contrast": is_high})
        if name == "teacher-page-held-up":
            found.service.pauses.pause(course_target(str(Ids.COURSE)), "operator", "the gradebook is being repaired")
        page = browser.new_page(viewport={"width": SIZES[size][0], "height": height})
        page.goto(f"{found.stage.canvas_url}{path}?as={Ids.CANVAS_TEACHER}")
        if path.endswith("gradebook"):
            page.locator("summary", has_text="Sync").click()
            page.get_by_role("button", name="PowerSchool").click()
        frame = page.frame_locator("iframe[name=tool_content]")
        frame.get_by_role("button", name="Sync now").wait_for()
        # Names and the plan are read after the page is there.
        frame.locator("[aria-busy=true]").wait_for(state="detached")
        if pressed:
            frame.get_by_role("button", name=pressed, exact=True).click()
            frame.get_by_text(PRESSED[pressed]).wait_for()
        page.wait_for_timeout(1_000)
        if name == "teacher-page-groups":
            group = frame.locator("#all-but")
            group.locator("summary").first.click()
            group.locator("summary").nth(1).click()
            group.screenshot(path=folder / f"{name}.png")
        else:
            page.screenshot(path=folder / f"{name}.png")
        page.close()
    found.service.pauses.resume(course_target(str(Ids.COURSE)))


def opened(found: Installation, browser: Browser, size: str, scheme: str) -> Page:
    """Return a window of this size and these colours in which somebody signed in."""
    width, height = SIZES[size]
    viewport = {"width": width, "height": height}
    page = browser.new_context(viewport=viewport, color_scheme=scheme).new_page()
    page.goto(f"{found.url}/sign-in")
    sign_in(page)
    return page


def sign_in(page: Page) -> None:
    """Sign in on the page that asks for it."""
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/")


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--guide", action="store_true")
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with installation() as found:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            take_inside_canvas(found, browser, arguments.folder)
            make_trouble(found)
            (take_guide if arguments.guide else take)(found, browser, arguments.folder)
            browser.close()
        print(f"{found.url}, operator, {PASSWORD}", flush=True)
        while arguments.keep:
            time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
