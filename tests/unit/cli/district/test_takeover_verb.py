"""`passback takeover` of one course: what it refuses, and its exit codes."""

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from tests.command_line import app
from tests.unit.web.test_takeover_pages import VendorSite
from workers.cli import options
from workers.cli.district import takeover
from workers.cli.terminal.output import ExitCode


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[VendorSite]:
    """Return a site over a course whose assignments a vendor made, which the command uses."""
    one = VendorSite()
    monkeypatch.setattr(options, "Container", lambda _: one.service)
    monkeypatch.setattr(takeover, "select_courses", lambda *_: None)
    monkeypatch.setattr(one.service, "close", lambda: None)
    yield one
    one.service.__dict__.pop("powerschool")


@pytest.mark.parametrize("rest", [["--dry-run"], ["--yes"]])
def test_an_assignment_that_canvas_does_not_have_is_refused(site: VendorSite, rest: list[str]) -> None:
    """A mistyped id is no success: nothing waits for a takeover there since nothing is there."""
    done = CliRunner().invoke(app, ["takeover", "1", "--assignment", "99", *rest])
    assert (done.exit_code, done.stdout, site.linked()) == (ExitCode.USAGE, "", 0)
    assert "course 1 has no assignment 99" in done.stderr


def test_one_assignment_is_taken_over(site: VendorSite) -> None:
    """The other one is left."""
    done = CliRunner().invoke(app, ["takeover", "1", "--assignment", "11", "--yes"])
    assert (done.exit_code, site.linked()) == (ExitCode.FINE, 1)
