"""A sync makes PowerSchool agree with Canvas, and what cannot be done keeps nothing else back."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from threading import Event

import pytest

from shared.adapters.http.exchange import current_context
from shared.domain.outcome import Done, Retry
from shared.domain.passback.course_state import State
from shared.domain.passback.planning.links import Link
from shared.domain.passback.powerschool import RosteredStudent
from shared.domain.passback.rules.reasons import Reason
from shared.errors import AccessDenied, ServiceUnavailable, TransientError, UnexpectedResponse
from shared.ports.passback import ignore_count
from tests.fakes import MARK, not_found, refused
from tests.unit.domain.passback.baseline import ROSTERED, SECTION_DCID
from tests.unit.workers.grade_passback.school import NOW, School, change_set, decimals, link_of
from workers.celery.app import MAX_SYNC_DURATION
from workers.grade_passback.course_sync import CourseSync, SyncReport
from workers.grade_passback.sync_job import TIME_SLICE, SyncJob, count_sync
from workers.runtime.jobs import LeaseRenewer

TIMEOUT = TransientError("PUT /ws/xte/score: timeout", cause="powerschool_timeout")


def test_a_first_sync_writes_assignments_and_scores(school: School) -> None:
    """Both assignments are created with their scores, exactly as Canvas has them, in one batch of scores."""
    assert school.sync() == Done()
    assert school.powerschool.points("Reading 1") == decimals(S1="8", S2="9.5")
    assert school.powerschool.points("Reading 2") == decimals(S1="5", S2="6")
    assert school.writes() == ["create", "create", "scores"]
    assert (school.record().state, school.record().scores_there) == (State.SYNCED, 2)


def test_a_second_sync_writes_nothing(school: School) -> None:
    """Where nothing changed, nothing is written, and the time of the last write stays."""
    school.sync()
    school.writes()
    school.clock.advance(timedelta(hours=1))
    school.sync()
    assert school.writes() == []
    assert school.record().written_at == NOW


def test_one_changed_score_is_one_row(school: School) -> None:
    """Only the assignment whose score changed is written."""
    school.sync()
    school.writes()
    school.grade("S2", "12", "6.5")
    school.sync()
    assert school.powerschool.writes == [("scores", (link_of(school, "12"),))]
    assert school.powerschool.points("Reading 2") == decimals(S1="5", S2="6.5")


def test_a_change_by_hand_is_put_back(school: School) -> None:
    """What somebody changed in PowerSchool agrees with Canvas after the next sync."""
    school.sync()
    id_ = link_of(school)
    there = school.powerschool.assignments_there[id_]
    school.powerschool.assignments_there[id_] = replace(there, name="Other", scores={})
    school.sync()
    assert school.powerschool.points("Reading 1") == decimals(S1="8", S2="9.5")


def test_scores_go_in_batches(school: School) -> None:
    """No batch is larger than the settings say."""
    small = School(score_batch=3)
    small.sync()
    assert small.writes() == ["create", "create", "scores", "scores"]


def test_a_refused_student_keeps_nobody_back(school: School) -> None:
    """A batch that is refused for one student is sent again without that student."""
    school.powerschool.refused_students = {502: "powerschool_student"}
    assert school.sync() == Done()
    assert school.powerschool.points("Reading 1") == decimals(S1="8")
    assert school.powerschool.points("Reading 2") == decimals(S1="5")
    assert school.powerschool.faults.calls["write_scores"] == 2


def test_a_refused_student_gets_a_reason(school: School) -> None:
    """The student whom PowerSchool refuses is reported, with the Canvas user; the assignment itself is fine."""
    school.powerschool.refused_students = {502: "powerschool_student"}
    school.sync()
    [student] = school.record().students
    assert (student.user_id, student.student_sis_id) == ("72", "S2")
    assert student.finding.reason is Reason.STUDENT_REFUSED
    assert (school.record().state, school.record().scores_there) == (State.SYNCED, 1)


def test_a_refused_student_makes_the_roster_fresh(school: School) -> None:
    """A refusal of a student says that the remembered roster is old: the next sync has a fresh one."""
    school.powerschool.refused_students = {502: "powerschool_student"}
    school.sync()
    assert school.rosters.refreshes == 1


def test_a_roster_that_cannot_be_read_does_not_cost_the_record(school: School) -> None:
    """What was written is recorded, even if the roster cannot be read again afterwards."""
    school.powerschool.refused_students = {502: "powerschool_student"}
    school.rosters.faults.always("refresh", TIMEOUT)
    school.sync()
    assert school.record().written_at == NOW


def test_a_nameless_refusal_is_isolated(school: School) -> None:
    """A batch that is refused without naming anyone is sent by assignment: the others go, the bad one is told."""
    school.sync()
    for sis_id, assignment_id in (("S1", "11"), ("S1", "12")):
        school.grade(sis_id, assignment_id, "1")
    school.powerschool.refused_targets = {link_of(school): "powerschool_locked"}
    assert school.sync() == Done()
    assert school.powerschool.points("Reading 1") == decimals(S1="8", S2="9.5")
    assert school.powerschool.points("Reading 2") == decimals(S1="1", S2="6")
    assert school.reasons() == [Reason.ASSIGNMENT_LOCKED]
    assert school.reasons("12") == []


def test_a_refusal_that_no_rule_describes_is_a_dead_letter(school: School) -> None:
    """The assignment becomes a dead letter at once; the other one is in PowerSchool."""
    school.powerschool.faults.on("create", UnexpectedResponse("POST: no Location", cause="powerschool_unexpected"))
    assert school.sync() == Done()
    assert school.letters() == [("11", "powerschool_unexpected")]
    assert school.record().state is State.DEAD
    assert school.powerschool.points("Reading 2") == decimals(S1="5", S2="6")


def test_a_refused_update_keeps_its_scores_back_alone(school: School) -> None:
    """Where PowerSchool refuses the assignment, its scores are not sent; those of the others are."""
    school.sync()
    school.edit(points_possible=Decimal(20))
    school.grade("S1", "11", "1")
    school.grade("S1", "12", "1")
    school.powerschool.faults.on("update", refused("PUT: 409", "powerschool_points", words="too many"))
    assert school.sync() == Done()
    assert school.powerschool.points("Reading 1") == decimals(S1="8", S2="9.5")
    assert school.powerschool.points("Reading 2") == decimals(S1="1", S2="6")
    assert [(f.reason, f.detail) for f in school.record().findings] == [(Reason.POINTS_REFUSED, "too many")]


def test_a_passing_failure_keeps_nothing_else_back(school: School) -> None:
    """An update that times out is tried again later; the other assignment is written now."""
    school.sync()
    school.edit(description="New")
    school.grade("S1", "12", "1")
    school.powerschool.faults.on("update", TIMEOUT)
    assert isinstance(school.sync(), Retry)
    assert school.record().state is State.RETRYING
    assert school.powerschool.points("Reading 2") == decimals(S1="1", S2="6")


def test_a_deleted_assignment_is_created_again_with_all_scores(school: School) -> None:
    """One that somebody deleted in PowerSchool is back after the next sync, with every score."""
    school.sync()
    del school.powerschool.assignments_there[link_of(school)]
    assert school.sync() == Done()
    assert school.powerschool.points("Reading 1") == decimals(S1="8", S2="9.5")


def test_one_deleted_meanwhile_is_created_again_in_the_same_run(school: School) -> None:
    """A score for an assignment that is gone by now: the link is forgotten, and the run creates it with all scores."""
    school.sync()
    school.grade("S1", "11", "1")
    school.grade("S1", "12", "2")
    school.powerschool.before_scores = _delete_once(school, link_of(school))
    assert school.sync() == Done()
    assert school.powerschool.points("Reading 1") == decimals(S1="1", S2="9.5")
    assert school.powerschool.points("Reading 2") == decimals(S1="2", S2="6")
    assert school.powerschool.names().count("Reading 1") == 1


def test_one_deleted_before_its_update_is_created_again_in_the_same_run(school: School) -> None:
    """An update of an assignment that is gone by now creates it again."""
    school.sync()
    school.edit(name="Reading one")
    school.powerschool.faults.on("update", not_found("GET /ws/xte/section/assignment/{assignment_id}: 404"))
    del school.powerschool.assignments_there[link_of(school)]
    assert school.sync() == Done()
    assert school.powerschool.points("Reading one") == decimals(S1="8", S2="9.5")


def test_what_was_written_before_a_second_look_keeps_its_time(school: School) -> None:
    """An assignment written before links turned out to be stale counts as written in this run."""
    school.sync()
    school.clock.advance(timedelta(hours=1))
    school.grade("S1", "11", "1")
    school.grade("S1", "12", "2")
    school.powerschool.before_scores = _delete_once(school, link_of(school))
    school.sync()
    assert school.record("12").written_at == school.clock.now()


def test_one_deleted_again_and_again_is_tried_again_later(school: School) -> None:
    """Where somebody deletes an assignment as often as it is made, the run gives up and is not counted as done."""
    school.powerschool.before_scores = school.powerschool.assignments_there.clear
    outcome = school.sync()
    assert isinstance(outcome, Retry)
    assert {failure.cause for failure in outcome.failures} == {"powerschool_404"}
    assert school.record().state is State.RETRYING


def test_a_create_that_finds_nothing_is_no_stale_link(school: School) -> None:
    """A create answered with 404 is a dead letter, and is sent once."""
    school.powerschool.faults.on("create", not_found("POST /ws/xte/section/assignment/: 404"))
    assert school.sync() == Done()
    assert school.letters() == [("11", "powerschool_404")]
    assert school.powerschool.names() == ["Reading 2"]


def test_a_lost_create_answer_makes_no_duplicate(school: School) -> None:
    """A create whose answer was lost is found by the next sync, which adopts it and sends the scores."""
    school.powerschool.lost_creates = 1
    assert isinstance(school.sync(), Retry)
    assert school.sync(attempts=1) == Done()
    assert sorted(school.powerschool.names()) == ["Reading 1", "Reading 2"]
    assert school.powerschool.points("Reading 1") == decimals(S1="8", S2="9.5")


def test_a_lost_create_is_found_under_the_name_it_was_sent_with(school: School) -> None:
    """If name and due date changed in Canvas before the next sync, the claim still finds what was created."""
    school.powerschool.lost_creates = 1
    school.sync()
    due_at = school.canvas.content.assignments[0].due_at
    assert due_at is not None
    school.edit(name="Reading one", due_at=due_at + timedelta(days=7))
    assert school.sync(attempts=1) == Done()
    assert sorted(school.powerschool.names()) == ["Reading 2", "Reading one"]
    assert school.powerschool.points("Reading one") == decimals(S1="8", S2="9.5")


def test_a_create_that_never_arrived_is_sent_again(school: School) -> None:
    """A claim that leads to nothing does not keep the assignment from being created."""
    school.powerschool.faults.on("create", TIMEOUT)
    assert isinstance(school.sync(), Retry)
    assert school.sync(attempts=1) == Done()
    assert school.powerschool.points("Reading 1") == decimals(S1="8", S2="9.5")


def test_the_link_is_claimed_before_the_create(school: School) -> None:
    """When a create is sent, its claim is stored already: a process killed in between leaves a trace."""
    school.powerschool.faults.on("create", TIMEOUT)
    school.sync()
    assert school.links.of_course("1")["11", SECTION_DCID] == Link("11", SECTION_DCID, "Reading 1", date(2026, 9, 30))


def test_a_refused_create_gives_its_claim_up(school: School) -> None:
    """A refusal proves that nothing was created, so that no claim is left to adopt anything."""
    school.powerschool.faults.on("create", refused("POST: 409", "powerschool_due_date"))
    school.sync()
    assert ("11", SECTION_DCID) not in school.links.of_course("1")
    assert school.reasons() == [Reason.DUE_DATE_REFUSED]


def test_credentials_refused_midway_wait(school: School) -> None:
    """A token or plugin refused between writes concerns every course: no dead letter, no attempt, and no claim."""
    denied = AccessDenied("POST: 401", cause="powerschool_401", status=401)
    school.powerschool.faults.on("create", denied, nth=2, times=9)
    school.sync()
    assert school.letters() == []
    assert [attempts for _, _, attempts in school.changes.later] == [0]
    assert school.record("12").state is State.RETRYING


def test_what_a_person_made_is_never_touched(school: School) -> None:
    """An assignment of the same name that a person made blocks ours, and stays as it is."""
    school.sync()
    id_ = link_of(school)
    by_hand = replace(school.powerschool.assignments_there[id_], created_by_plugin=None)
    school.powerschool.assignments_there[id_] = by_hand
    school.forget_links()
    school.grade("S1", "11", "1")
    school.writes()
    school.sync()
    assert school.powerschool.assignments_there[id_] == by_hand
    assert school.reasons() == [Reason.NAME_TAKEN]


def test_a_student_whom_powerschool_lacks_is_told(school: School) -> None:
    """A score of a student who is not active in the section is not sent, and the reason names the student."""
    students = {**ROSTERED.students, "S2": RosteredStudent(502, active=False)}
    school.rosters.remembered = {"4001": replace(ROSTERED, students=students)}
    school.sync()
    assert school.powerschool.points("Reading 1") == decimals(S1="8")
    assert [(s.student_sis_id, s.finding.reason) for s in school.record().students] == [
        ("S2", Reason.STUDENT_NOT_IN_SECTION)
    ]


@pytest.mark.parametrize("method", ["course", "gradebook"])
def test_nothing_is_written_where_canvas_does_not_answer(school: School, method: str) -> None:
    """Without the whole truth of Canvas nothing is written."""
    school.canvas.faults.on(method, TransientError("GET: timeout", cause="canvas_timeout"))
    assert isinstance(school.sync(), Retry)
    assert school.writes() == []


def test_ours_are_marked(school: School) -> None:
    """Adoption rests on the plugin's mark: the fake gradebook marks what we create like PowerSchool does."""
    school.sync()
    assert {a.created_by_plugin for a in school.powerschool.assignments_there.values()} == {MARK}


def _delete_once(school: School, id_: int) -> Callable[[], None]:
    def delete() -> None:
        school.powerschool.assignments_there.pop(id_, None)

    return delete


@pytest.fixture
def job(school: School) -> SyncJob:
    """The job of the school's worker. Nothing else waits."""
    school.changes.change_sets["1"] = change_set()
    renewer = LeaseRenewer(school.changes.renew, timedelta(seconds=60))
    metrics = partial(count_sync, ignore_count, school.stores.counters)  # type: ignore[arg-type]
    sync, handler = lambda: school.course_sync, school.outcome_handler
    return SyncJob(school.changes, sync, handler, renewer, metrics, school.clock, Event(), lambda: False)  # type: ignore[arg-type]


def test_the_job_syncs_a_claimed_course(school: School, job: SyncJob) -> None:
    """It takes the lease, syncs and ends the lease; a second message for the course does nothing."""
    school.changes.claimed.append("1")
    job.run("1")
    job.run("1")
    assert len(school.changes.released) == 1
    assert school.record().state is State.SYNCED


def test_what_cannot_be_built_is_an_outcome_of_the_course(school: School, job: SyncJob) -> None:
    """PowerSchool may be asked for its time zone then: where it is away, the course waits like any other."""
    school.changes.claimed.append("1")

    def fail() -> CourseSync:
        raise ServiceUnavailable("GET metadata: 503", cause="powerschool_unavailable", delay=timedelta(seconds=9))

    replace(job, course_sync=fail).run("1")
    assert school.changes.later == [("1", timedelta(seconds=9), 0)]


def test_the_requests_of_a_job_are_limited(school: School, job: SyncJob) -> None:
    """They go in the order of the leases, and end with a stop of the process; the course is due again at once."""
    school.changes.claimed.append("1")

    def is_stopped() -> CourseSync:
        context = current_context()
        assert context is not None
        assert context.began_ms == school.changes.last_token
        context.check_wait()
        job.stopping.set()
        context.check_wait()
        raise AssertionError("a request waits though its process is to stop")

    replace(job, course_sync=is_stopped).run("1")
    assert school.changes.later == [("1", timedelta(0), 0)]
    assert current_context() is None


def test_the_lease_of_a_job_is_renewed_until_its_end(school: School, job: SyncJob) -> None:
    """By the process's renewer, beside the sync; a little longer than the sync may take, for its last write."""
    school.changes.claimed.append("1")
    held: list[float] = []

    def look() -> CourseSync:
        held.extend(until - time.monotonic() for until in job.lease_renewer._deadlines.values())
        return school.course_sync

    replace(job, course_sync=look).run("1")
    (seconds,) = held
    assert seconds > MAX_SYNC_DURATION.total_seconds()
    assert not job.lease_renewer._deadlines


@pytest.mark.parametrize(("waiting_requests", "waiting_courses"), [(True, []), (False, ["2"]), (False, [])])
def test_a_job_gives_way_to_whatever_waits(
    school: School, job: SyncJob, waiting_requests: bool, waiting_courses: list[str]
) -> None:
    """After its slice, to courses that wait for a thread, and to another worker's request that waits for its turn."""
    school.changes.claimed.append("1")
    school.changes.due = waiting_courses

    class Long:
        def run(self, _changes: object, guard: Callable[[], None], _token: int) -> SyncReport:
            guard()
            school.clock.advance(TIME_SLICE)
            guard()
            return SyncReport(Done())

    replace(job, course_sync=Long, requests_wait=lambda: waiting_requests).run("1")  # type: ignore[arg-type]
    assert bool(school.changes.later) is (waiting_requests or bool(waiting_courses))
