"""A verification against both sandboxes finds every planted difference, none that is not there, and writes nothing."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from shared.adapters.redis.client import epoch_ms
from shared.adapters.redis.course_data.proofs import ProofKeys, Proofs
from shared.adapters.redis.sync_queue.store import CLAIM_DURATION, LEASE_DURATION, SyncQueue
from shared.domain.passback.agreement import Difference, Result
from shared.domain.passback.changes import ChangeCause, DebounceWindow
from shared.domain.passback.proof import Proof
from shared.domain.passback.rules.reasons import Reason
from shared.sandbox.district.small import student_dcid_of, user_id_of
from shared.sandbox.ids import Ids
from tests.integration.passback.test_refusals_are_explained import COURSE, FIRST, Town, town
from workers.grade_passback.operations.verification.verifier import Verifier

pytestmark = pytest.mark.slow

STUDENTS = Ids.STUDENTS_HEALTHY


class Verified:
    """A town whose whole course is graded and synced, and what verifies it."""

    def __init__(self, here: Town) -> None:
        self.here = here
        stores = here.stores
        self.queue = SyncQueue(
            stores.redis, stores.keys, DebounceWindow(timedelta(0), timedelta(0)), CLAIM_DURATION, LEASE_DURATION,
            now_ms=lambda: epoch_ms(here.clock.now()),
        )  # fmt: skip
        proofs, key = Proofs(stores.redis, stores.keys, timedelta(days=400)), ProofKeys(stores.redis, stores.keys)
        self.verifier = Verifier(
            lambda: here.reader,
            stores.records,
            self.queue,
            stores.pauses,
            proofs,
            key,
            here.clock,
            here.canvas_url,
            here.powerschool_url,
        )
        self.work = sorted({key.assignment_id for key in self.graded()})

    def graded(self) -> Any:
        for assignment in (FIRST, FIRST + 1):
            for position, number in enumerate(STUDENTS):
                score = 5 + position / 2
                self.here.canvas("grade", assignment_id=assignment, user_id=user_id_of(number), score=score)
        self.sync()
        return self.here.links.of_course(COURSE)

    def sync(self) -> None:
        self.here.sync(ChangeCause.PERSON)

    def verify(self) -> Proof:
        return self.verifier.verify(COURSE, "rivera", patience=timedelta(0)).proof

    def found(self) -> Counter[tuple[str, str, str, str]]:
        """Return what differs: assignment, what, result, why, and how often."""
        return Counter({(d.assignment_id, d.what, d.result.value, d.why): d.count for d in self.verify().differences})

    def section_id(self, assignment_id: str) -> int:
        found = self.here.links.of_course(COURSE)[assignment_id, Ids.HEALTHY_DCID].powerschool_assignment_section_id
        assert found is not None
        return found

    def rescore(self, assignment_id: str, number: int, points: str) -> None:
        where = {"assignment_section_id": self.section_id(assignment_id), "student_dcid": student_dcid_of(number)}
        self.here.powerschool("rescore", **where, points=points)


@pytest.fixture
def verified() -> Iterator[Verified]:
    with town() as here:
        yield Verified(here)


def test_a_synced_course_agrees_and_is_only_read(verified: Verified) -> None:
    """Every score was compared; PowerSchool got no write."""
    assert len(verified.work) >= 2
    verified.here.writes()
    proof = verified.verify()
    assert proof.sentence.startswith(f"{len(STUDENTS) * len(verified.work)} scores, all equal")
    assert proof.is_equal
    assert verified.here.writes() == []


def test_every_planted_difference_is_found_and_repaired(verified: Verified) -> None:
    """One decimal, a code, a rename, another day, a deleted assignment; and a teacher's own work is only counted."""
    first, second = verified.work[:2]
    verified.rescore(first, STUDENTS[0], "5.1")
    where = {"assignment_section_id": verified.section_id(first), "student_dcid": student_dcid_of(STUDENTS[1])}
    verified.here.powerschool("score_code", **where, code="MIS")
    verified.here.powerschool("change_assignment", assignment_section_id=verified.section_id(first), name="Renamed")
    day = (verified.here.clock.now() + timedelta(days=2)).date().isoformat()
    verified.here.powerschool("change_assignment", assignment_section_id=verified.section_id(first), due_date=day)
    verified.here.powerschool("delete", assignment_section_id=verified.section_id(second))
    differs, absent = Result.DIFFERS.value, Difference.NOT_IN_POWERSCHOOL.value
    assert verified.found() == {
        (first, "name", differs, "other_value"): 1,
        (first, "due_date", differs, "other_value"): 1,
        (first, "score", differs, "other_value"): 2,
        (second, "assignment", differs, absent): 1,
        (second, "score", differs, absent): len(STUDENTS),
    }
    verified.sync()
    assert verified.verify().is_equal


def test_random_edits_are_found_exactly(verified: Verified) -> None:
    """Whichever scores are changed by hand, by whatever amount, as many are found, and none beside them."""
    rng = random.Random(20311006)
    for _ in range(5):
        edited = rng.sample([(work, number) for work in verified.work for number in STUDENTS], rng.randint(1, 5))
        for work, number in edited:
            there = {row["assignment_section_id"]: row for row in verified_state(verified)}
            score = there[verified.section_id(work)]["scores"][str(student_dcid_of(number))]
            step = rng.choice([Decimal("0.1"), Decimal("-0.01"), Decimal(1), Decimal("0.000001")])
            verified.rescore(work, number, str(Decimal(str(score["points"])) + step))
        found = verified.found()
        assert sum(found.values()) == len(edited)
        assert {(work, what) for work, what, _, _ in found} == {(work, "score") for work, _ in edited}
        verified.sync()
        assert verified.found() == {}


def verified_state(verified: Verified) -> Any:
    return httpx.get(f"{verified.here.powerschool_url}/_sandbox/state").json()


def test_a_locked_assignment_is_left_with_its_reason(verified: Verified) -> None:
    """The sync is refused there, as `explain` says."""
    first = verified.work[0]
    verified.rescore(first, STUDENTS[0], "1")
    verified.here.powerschool("change_assignment", assignment_section_id=verified.section_id(first), locked=True)
    found = verified.found()
    assert {(work, what) for work, what, _, _ in found} == {(first, "score")}
    ((_, _, result, why),) = found
    # Before the first refusal only a read that shows the lock says so.
    assert (result, why) in (
        (Result.NOT_WRITTEN.value, Reason.ASSIGNMENT_LOCKED.value),
        (Result.DIFFERS.value, "other_value"),
    )
