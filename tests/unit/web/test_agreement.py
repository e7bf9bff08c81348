"""Proofs of agreement on the course page and in the API."""

import asyncio
import base64
import csv
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from shared.domain.actions import Verb
from shared.domain.passback.course_state import CourseRecord
from tests.unit.web.site_kit import PASSWORD, VIEWER_PASSWORD, Site
from tests.unit.workers.grade_passback.readings import Readings


class Verified:
    """A site with two courses, what it reads of them, and the two accounts."""

    def __init__(self) -> None:
        self.site = Site()
        self.readings = Readings()
        self.site.service.__dict__["course_reader"] = self.readings
        for course_id in ("101", "102"):
            self.site.service.records.save(CourseRecord(course_id, datetime(2031, 3, 4, tzinfo=UTC), (), name="Art"))
        self.operator, self.viewer = self.site.browser("operator"), self.site.browser("viewer")
        # A form's token is on the page.
        for browser in (self.operator, self.viewer):
            browser.get("/courses/101")

    def api(self, method: str, path: str, account: str = "viewer") -> httpx.Response:
        """Call the API with HTTP Basic."""
        password = {"operator": PASSWORD, "viewer": VIEWER_PASSWORD}[account]

        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(self.site.app, client=("127.0.0.1", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://passback.test/api/v1") as client:
                headers = {"X-Requested-With": "test"}
                return await client.request(method, path, headers=headers, auth=(account, password))

        return asyncio.run(one())


@pytest.fixture
def verified() -> Verified:
    return Verified()


def test_the_course_page_says_when_and_what_was_verified(verified: Verified) -> None:
    """In the words of the command; never, before the first time."""
    assert "never" in verified.operator.text("/courses/101").partition("Verified")[2][:40]
    response = verified.operator.post("/courses/101/verify", {})
    assert response.headers["location"] == "/courses/101?done=verify"
    now = datetime.now(UTC)
    for browser in (verified.operator, verified.viewer):
        shown = " ".join(browser.text("/courses/101").partition("Verified")[2][:80].split())
        assert shown.startswith(f"{now:%A}")
        assert "4 scores, all equal. See the proof" in shown
    (action,) = [each for each in verified.site.service.actions.newest(9) if each.verb is Verb.VERIFY]
    assert (action.actor, action.target, action.count) == ("operator", "course:101", 1)


def test_a_difference_is_shown_and_becomes_due(verified: Verified) -> None:
    """To a viewer as well: neither student nor score is in it."""
    verified.readings.plant()
    verified.operator.post("/courses/101/verify", {})
    assert "4 scores, 1 differs" in verified.viewer.text("/courses/101")
    assert verified.site.service.changes.state_of("101").pending is not None


def test_a_viewer_verifies_nothing(verified: Verified) -> None:
    """Reading both systems costs their time: it is for operators."""
    assert verified.viewer.post("/courses/101/verify", {}).status_code == 403
    assert verified.readings.read_ids == []


def test_the_api_returns_what_was_signed(verified: Verified, tmp_path: Path) -> None:
    """Byte for byte, so that the signature can be checked with the public key that it returns as well."""
    verified.readings.plant()
    made = verified.api("POST", "/courses/101/verify", "operator")
    assert made.status_code == 200, made.text
    (proof,) = verified.api("GET", "/courses/101/agreement").json()["proofs"]
    assert proof == made.json()
    assert proof["differences"][0]["sentence"].endswith("a sync makes it equal.")
    (tmp_path / "proof.json").write_text(proof["document"])
    (tmp_path / "proof.sig").write_bytes(base64.b64decode(proof["signature"]))
    (tmp_path / "key.pem").write_text(verified.api("GET", "/agreement/public-key.pem").text)
    line = "openssl dgst -sha256 -verify key.pem -signature proof.sig proof.json"
    done = subprocess.run(line.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "Verified OK\n")


def test_the_api_lists_the_newest_proof_of_each_course(verified: Verified) -> None:
    """And who was never verified; as CSV without students and scores."""
    verified.operator.post("/courses/101/verify", {})
    found = verified.api("GET", "/agreement").json()
    assert [proof["course_id"] for proof in found["proofs"]] == ["101"]
    assert (found["never_verified"], found["next"]) == (["102"], None)
    response = verified.api("GET", "/agreement.csv")
    (row,) = csv.DictReader(response.text.splitlines())
    assert (row["course_id"], row["course"], row["result"]) == ("101", "Art", "4 scores, all equal")
    assert verified.api("GET", "/agreement?school=7").status_code == 404


def test_a_course_without_proofs_has_none(verified: Verified) -> None:
    """An empty list, not an error."""
    assert verified.api("GET", "/courses/101/agreement").json()["proofs"] == []
