"""A verification finds what differs, says why, and is not misled by what changes meanwhile."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.adapters.http.exchange import RequestContext, current_context
from shared.adapters.redis.client import epoch_ms
from shared.adapters.redis.course_data.proofs import ProofKeys, Proofs
from shared.adapters.redis.sync_queue.store import CLAIM_DURATION, LEASE_DURATION, SyncQueue
from shared.domain.passback.agreement import Difference, Result
from shared.domain.passback.changes import ChangeCause, DebounceWindow
from shared.domain.passback.powerschool import ActualAssignment, Score
from shared.domain.passback.proof import Counts, proof_of
from shared.domain.passback.rules.reasons import Reason
from shared.errors import ServiceUnavailable
from tests.unit.domain.passback.baseline import HOMEWORK, TESTS, desired
from tests.unit.workers.grade_passback.school import NOW, School, row
from workers.grade_passback.operations.verification.proofs import difference_sentence
from workers.grade_passback.operations.verification.verifier import MAX_READS, Verification, Verifier

PATIENCE = timedelta(seconds=30)


class Bench:
    """A synced school, and what verifies it."""

    def __init__(self, school: School) -> None:
        self.school = school
        stores = school.stores
        self.queue = SyncQueue(
            stores.redis, stores.keys, DebounceWindow(timedelta(0), timedelta(0)), CLAIM_DURATION, LEASE_DURATION,
            now_ms=lambda: epoch_ms(school.clock.now()),
        )  # fmt: skip
        self.proofs = Proofs(stores.redis, stores.keys, timedelta(days=400))
        key = ProofKeys(stores.redis, stores.keys)
        self.reads = 0
        self.before_read: Callable[[int], None] = lambda _: None
        self.verifier = Verifier(
            self._reader,
            school.records,
            self.queue,
            school.pauses,
            self.proofs,
            key,
            school.clock,
            "https://canvas.example",
            "https://ps.example",
        )
        school.sync()

    def _reader(self):  # type: ignore[no-untyped-def]
        self.reads += 1
        self.before_read(self.reads)
        return self.school.reader

    def verify(self, **options: bool) -> Verification:
        return self.verifier.verify("1", "rivera", patience=PATIENCE, **options)

    def found(self) -> set[tuple[str, str, Result, str, int]]:
        """Return what differs, of the only section."""
        return {(d.assignment_id, d.what, d.result, d.why, d.count) for d in self.verify().proof.differences}

    def there(self, name: str = "Reading 1") -> ActualAssignment:
        (found,) = [a for a in self.school.powerschool.assignments_there.values() if a.name == name]
        return found

    def plant(self, **changes: object) -> None:
        """Change the first assignment in PowerSchool by hand."""
        actual = self.there()
        changed = replace(actual, **changes)  # type: ignore[arg-type]
        self.school.powerschool.assignments_there[actual.assignment_section_id] = changed

    def score(self, dcid: int, score: Score | None) -> None:
        """Enter a score in PowerSchool by hand, or delete its row."""
        scores = {**self.there().scores, dcid: score}
        self.plant(scores={dcid: each for dcid, each in scores.items() if each is not None})


@pytest.fixture
def bench(school: School) -> Bench:
    return Bench(school)


def test_a_synced_course_agrees(bench: Bench) -> None:
    """One reading, four scores, all equal; nothing is written and nothing becomes due."""
    bench.school.powerschool.writes.clear()
    proof = bench.verify().proof
    assert (proof.scores, proof.assignments) == (Counts(equal=4), Counts(equal=2))
    assert (proof.sentence, proof.reads) == ("4 scores, all equal", 1)
    assert proof.is_equal
    assert proof.is_complete
    assert not bench.school.powerschool.writes
    assert not any(bench.queue.counts())


def test_its_requests_let_all_others_go_first(bench: Bench) -> None:
    """Those of a sync are in the order of Redis's time, which is always less."""
    seen: list[RequestContext | None] = []
    bench.before_read = lambda _: seen.append(current_context())
    bench.verify()
    (context,) = seen
    assert context is not None
    assert context.began_ms is not None
    assert context.began_ms > epoch_ms(datetime(9999, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("score", "why"),
    [
        (Score(Decimal("8.1")), Difference.OTHER_VALUE),
        (Score(Decimal("7.999999")), Difference.OTHER_VALUE),
        (Score(Decimal(8), missing=True), Difference.OTHER_VALUE),
        (Score(Decimal(8), exempt=True), Difference.OTHER_VALUE),
        (Score(Decimal(8), is_code=True), Difference.OTHER_VALUE),
        (Score(None), Difference.NOT_IN_POWERSCHOOL),
        (None, Difference.NOT_IN_POWERSCHOOL),
    ],
)
def test_a_score_that_was_changed_by_hand_is_found(bench: Bench, score: Score | None, why: Difference) -> None:
    """One decimal, a flag, a code, an emptied or deleted row; a sync is due, with who verified and why."""
    bench.score(501, score)
    assert bench.found() == {("11", "score", Result.DIFFERS, why, 1)}
    pending = bench.queue.state_of("1").pending
    assert pending is not None
    assert pending.triggers == {ChangeCause.VERIFICATION}
    assert pending.actors == {"rivera"}
    assert not pending.asked_for_by_person
    bench.school.sync()
    bench.queue.release(*bench.queue.start_sync(bench.queue.claim_due(1)[0])[:1])  # type: ignore[index]
    assert bench.verify().proof.is_equal


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"points": Decimal(12)}, "points"),
        ({"due_date": desired().due_date + timedelta(days=1)}, "due_date"),
        ({"category_id": TESTS.id}, "category"),
        ({"counted": False}, "counted"),
        ({"description": "Another text"}, "description"),
    ],
)
def test_a_field_that_was_changed_by_hand_is_found(bench: Bench, changes: dict[str, object], field: str) -> None:
    """The scores are compared all the same."""
    bench.school.powerschool.categories_there = (HOMEWORK, TESTS)
    bench.school.edit("11", description="A text", omitted_from_final_grade=False)
    bench.school.sync()
    bench.plant(**changes)
    proof = bench.verify().proof
    assert [(d.what, d.result) for d in proof.differences] == [(field, Result.DIFFERS)]
    assert (proof.scores.equal, proof.assignments) == (4, Counts(equal=1, differs=1))
    assert proof.sentence == "4 scores, all equal; 1 assignment differs"


def test_a_deleted_assignment_is_found_with_its_scores(bench: Bench) -> None:
    """In PowerSchool by hand: it is created again by the next sync."""
    del bench.school.powerschool.assignments_there[bench.there().assignment_section_id]
    why = Difference.NOT_IN_POWERSCHOOL
    assert bench.found() == {("11", "assignment", Result.DIFFERS, why, 1), ("11", "score", Result.DIFFERS, why, 2)}


def test_a_renamed_assignment_is_found(bench: Bench) -> None:
    """By its link, whatever it is called."""
    bench.plant(name="Something else")
    assert bench.found() == {("11", "name", Result.DIFFERS, Difference.OTHER_VALUE, 1)}


def test_a_score_that_only_powerschool_has_is_a_teacher_s_own(bench: Bench) -> None:
    """It is named, is no difference to be repaired, and makes nothing due."""
    bench.school.canvas.rows = (row("S1", "71", a11="8", a12="5"), row("S2", "72", a11=None, a12="6"))
    bench.school.powerschool.assignments_there.clear()
    bench.school.forget_links()
    bench.school.sync()
    bench.score(502, Score(Decimal(3)))
    proof = bench.verify().proof
    assert proof.sentence == "4 scores, all equal; 1 score only in PowerSchool"
    assert proof.is_equal
    assert not any(bench.queue.counts())
    assert "it stays" in difference_sentence(proof.differences[0])


def test_a_score_that_was_cleared_in_canvas_has_its_reason(bench: Bench) -> None:
    """The district reports such scores and leaves them."""
    bench.school.grade("S1", "11", None)
    bench.school.sync()
    assert bench.found() == {("11", "score", Result.NOT_WRITTEN, Reason.SCORE_CLEARED, 1)}


def test_a_locked_assignment_has_its_reason(bench: Bench) -> None:
    """No sync may change it: it differs, and nothing is due."""
    bench.plant(locked=True)
    bench.school.grade("S1", "11", "9")
    assert bench.found() == {("11", "score", Result.NOT_WRITTEN, Reason.ASSIGNMENT_LOCKED, 1)}
    assert not any(bench.queue.counts())


def test_after_the_end_of_the_term_a_difference_is_left(bench: Bench) -> None:
    """The course is compared, at report cards as well; only a person who asks for its sync writes there."""
    bench.score(501, Score(Decimal(1)))
    bench.school.clock.advance(timedelta(days=120))
    assert bench.found() == {("11", "score", Result.NOT_WRITTEN, Reason.TERM_CLOSED, 1)}
    assert not any(bench.queue.counts())


def test_work_that_is_not_eligible_is_not_compared(bench: Bench) -> None:
    """With the codes of the reasons, all of them."""
    bench.school.edit("11", post_to_sis=False, published=False)
    proof = bench.verify().proof
    (part,) = proof.not_compared
    assert (part.assignment_id, set(part.reasons)) == ("11", {Reason.SIS_SYNC_OFF, Reason.NOT_PUBLISHED})
    assert proof.sentence == "2 scores, all equal; 1 assignment not compared"
    assert proof.is_complete


def test_students_whom_powerschool_does_not_have_are_held_back(bench: Bench) -> None:
    """Their scores are counted by the reason, without their ids."""
    bench.school.canvas.rows = (*bench.school.canvas.rows, row("S9", "79", a11="7", a12="6"))
    proof = bench.verify().proof
    assert [(p.assignment_id, p.reasons, p.scores) for p in proof.not_compared] == [
        ("11", (Reason.STUDENT_UNKNOWN,), 1),
        ("12", (Reason.STUDENT_UNKNOWN,), 1),
    ]
    assert proof.sentence == "4 scores, all equal; 2 scores held back"


def test_what_is_deleted_in_canvas_is_named(bench: Bench) -> None:
    """It stays in PowerSchool."""
    bench.school.assign(*[a for a in bench.school.canvas.content.assignments if a.id != "12"])
    (part,) = bench.verify().proof.not_compared
    assert (part.assignment_id, part.reasons) == ("12", (Reason.DELETED_IN_CANVAS,))


def test_a_teacher_s_own_assignment_is_counted(bench: Bench) -> None:
    """It has no link, and is not compared."""
    own = replace(bench.there(), assignment_section_id=1, assignment_id=2, name="Own", created_by_plugin=None)
    bench.school.powerschool.assignments_there[1] = own
    assert bench.verify().proof.powerschool_only == 1


def test_what_powerschool_stores_differently_is_equal(school: School) -> None:
    """A name without its emoji: it is not written again, and is no difference."""
    school.powerschool.stores = lambda written: replace(written, name=written.name.encode("ascii", "replace").decode())
    school.edit("11", name="Reading 🙂")
    bench = Bench(school)
    bench.school.sync()
    proof = bench.verify().proof
    assert proof.assignments == Counts(equal=1, stored_differently=1)
    assert proof.is_equal


def test_a_change_between_the_two_reads_is_no_difference(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Canvas was read, then a teacher changed a score and its sync wrote it, then PowerSchool was read."""
    read = bench.school.powerschool.assignments
    calls = []

    def assignments(sections: object, scores_of: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            bench.school.grade("S1", "11", "10")
            bench.school.clock.advance(timedelta(seconds=1))
            bench.school.sync()
        return read(sections, scores_of)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.school.powerschool, "assignments", assignments)
    proof = bench.verify().proof
    assert (proof.sentence, proof.reads) == ("4 scores, all equal", 2)
    assert proof.is_settled


def test_a_change_whose_sync_is_on_its_way_is_waited_for(bench: Bench) -> None:
    """The course is due: the verification waits for its sync, and reads again."""
    bench.school.grade("S1", "11", "10")
    bench.queue.request("1", ChangeCause.WEBHOOK)
    sleep = bench.school.clock.sleep

    def sync_meanwhile(duration: timedelta) -> None:
        sleep(duration)
        for course_id in bench.queue.claim_due(1):
            taken = bench.queue.start_sync(course_id)
            assert taken is not None
            bench.school.sync()
            bench.queue.release(taken[0])

    bench.school.clock.sleep = sync_meanwhile  # type: ignore[method-assign]
    proof = bench.verify().proof
    assert (proof.sentence, proof.is_settled) == ("4 scores, all equal", True)


def test_a_course_that_never_comes_to_rest_is_said_to_change(bench: Bench) -> None:
    """Once the patience is over, the proof says what it found, and that changes were on their way."""
    bench.school.grade("S1", "11", "10")
    bench.queue.request("1", ChangeCause.WEBHOOK)
    proof = bench.verify().proof
    assert (proof.reads, proof.is_settled) == (2, False)
    assert proof.sentence == "4 scores, 1 differs; changes were on their way"
    assert not proof.is_complete
    assert bench.school.clock.now() < NOW + 2 * PATIENCE


def test_a_course_that_differs_otherwise_each_time_is_read_a_few_times(bench: Bench) -> None:
    """Somebody enters scores in PowerSchool meanwhile: no two readings say the same."""
    bench.before_read = lambda number: bench.score(501, Score(Decimal(number)))
    proof = bench.verify().proof
    assert (proof.reads, proof.is_settled) == (MAX_READS, False)


def test_a_difference_that_stays_is_settled(bench: Bench) -> None:
    """Two readings that say the same are enough."""
    bench.score(501, None)
    proof = bench.verify().proof
    assert (proof.reads, proof.is_settled) == (2, True)


def test_a_paused_course_is_not_waited_for(bench: Bench) -> None:
    """Its changes come only once somebody resumes it."""
    bench.school.grade("S1", "11", "10")
    bench.queue.request("1", ChangeCause.WEBHOOK)
    bench.school.pauses.pause("course:1", "kim")
    proof = bench.verify().proof
    assert not proof.is_settled
    assert bench.school.clock.now() - NOW < timedelta(seconds=15)


def test_without_a_sync_nothing_becomes_due(bench: Bench) -> None:
    """For who wants to look at the differences first."""
    bench.score(501, None)
    assert bench.verify(makes_due=False).proof.is_due
    assert not any(bench.queue.counts())


def test_a_course_that_cannot_be_read_has_no_proof(bench: Bench) -> None:
    """The error says why; an earlier proof stays the newest one."""
    before = bench.verify().signed
    bench.school.canvas.faults.always("course", ServiceUnavailable("GET", cause="canvas_503", delay=timedelta(0)))
    with pytest.raises(ServiceUnavailable):
        bench.verify()
    assert bench.proofs.of_course("1") == [before]


def test_the_stored_proof_holds_no_score_and_no_student(bench: Bench) -> None:
    """Ids of assignments and sections, counts, codes and digests; the digests are those of the two files."""
    bench.school.grade("S1", "11", "3.14159")
    verification = bench.verify()
    (stored,) = bench.proofs.of_course("1")
    assert stored == verification.signed
    assert proof_of(stored.document) == stored.proof
    for private in (b"3.14159", b"S1", b"S2", b"501", b"502", b"Reading"):
        assert private not in stored.document
    assert hashlib.sha256(verification.rows).hexdigest() == stored.proof.rows_sha256
    assert hashlib.sha256(verification.scores).hexdigest() == stored.proof.scores_sha256


def test_the_files_are_canonical(bench: Bench) -> None:
    """The lines are in the order of their bytes; without scores in one, and with a salt in the other."""
    verification = bench.verify()
    head, *lines = verification.rows.decode().splitlines()
    assert head.startswith("course_id,assignment_id,section_dcid,")
    assert lines == sorted(lines)
    assert "1,11,4001,4001,7001,501,S1,score,equal," in lines
    assert b"9.5" not in verification.rows
    head, *lines = verification.scores.decode().splitlines()
    assert lines == sorted(lines)
    assert "1,11,4001,4001,7001,502,S2,score,equal,,9.5,9.5" in lines
    assert verification.scores != bench.verify().scores
