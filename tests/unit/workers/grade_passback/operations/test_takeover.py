"""A course whose assignments another integration made: taken over, synced, undone, refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from shared.adapters.redis.client import epoch_ms
from shared.domain.passback.audit import AuditEntry, WriteContext, WriteKind
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.planning.links import Takeover, check_links
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey, Score
from shared.domain.passback.rules.apart import Apart
from shared.domain.passback.rules.reasons import Reason
from shared.domain.passback.takeover import TEACHER, Selection
from shared.errors import AccessDenied, CourseBusy, RequestRejected, TransientError
from tests.fakes import MARK
from tests.unit.domain.passback.baseline import SECTION_DCID
from tests.unit.workers.grade_passback.school import NOW, School
from workers.grade_passback.operations.takeover import CourseTakeover
from workers.grade_passback.operations.takeover_json import plan_json

ALL = Selection(frozenset({"501", TEACHER}))
KEY = AssignmentKey("11", SECTION_DCID)


def takeover_of(school: School, sleep: Callable[[float], None] = lambda _: None) -> CourseTakeover:
    parts = (school.links, school.takeovers, school.audit, school.changes)
    return CourseTakeover(lambda: school.reader, lambda: school.powerschool, *parts, sleep)  # type: ignore[arg-type]


def vendors(school: School, **changes: object) -> None:
    """Let the vendor have made both assignments of the course, with the scores that Canvas has, but for `changes`."""
    school.sync()
    made = list(school.powerschool.assignments_there.items())
    school.forget_links()
    school.forget_entries()
    school.writes()
    for id_, actual in made:
        school.powerschool.assignments_there[id_] = replace(actual, created_by_plugin="501", **changes)  # type: ignore[arg-type]


@pytest.fixture
def school() -> School:
    """The vendor gave student 501 a 7 in both."""
    school = School()
    vendors(school)
    for id_, actual in school.powerschool.assignments_there.items():
        scores = {**actual.scores, 501: Score(Decimal(7))}
        school.powerschool.assignments_there[id_] = replace(actual, scores=scores)
    school.sync()
    assert school.reasons("11") == school.reasons("12") == [Reason.NAME_TAKEN]
    assert school.writes() == []
    return school


def test_linking_writes_nothing_and_the_next_sync_makes_both_agree(school: School) -> None:
    """No duplicate, no name taken, and the history has what was replaced."""
    plan = takeover_of(school).take_over("1", ALL)
    assert set(plan.links) == {KEY, AssignmentKey("12", SECTION_DCID)}
    assert school.writes() == []
    school.sync()
    assert school.writes() == ["scores"]
    assert school.reasons("11") == school.reasons("12") == []
    assert len(school.powerschool.assignments_there) == 2
    assert school.powerschool.points("Reading 1")[501] == Decimal(8)
    (change,) = [s for e in school.entries() if e.assignment_id == "11" for s in e.scores]
    assert change.before is not None
    assert (change.before.points, change.after and change.after.points) == (Decimal(7), Decimal(8))


def test_a_second_run_is_a_no_op(school: School) -> None:
    """Before and after the sync."""
    takeover = takeover_of(school)
    takeover.take_over("1", ALL)
    links = school.links.of_course("1")
    assert takeover.take_over("1", ALL).candidates == ()
    assert school.links.of_course("1") == links
    school.sync()
    assert takeover.take_over("1", ALL).candidates == ()


def test_the_dry_run_says_what_is_overwritten(school: School) -> None:
    """Scores before and after, by student; nothing is stored."""
    shown = plan_json(takeover_of(school).plan("1", ALL), takeover_of(school).taken_over("1"), NOW)
    assert shown["summary"] == "2 assignments would be linked. The next sync overwrites 2 scores."
    first = shown["candidates"][0]  # type: ignore[index]
    assert (first["link"], first["apart"], first["scores_equal"], first["fields"]) == (True, [], 1, [])
    (student,) = first["students"]
    assert (student["student_sis_id"], student["before"]["points"], student["after"]["points"]) == ("S1", "7", "8")
    assert not school.links.of_course("1")


def test_fields_that_differ_are_shown_and_overwritten(school: School) -> None:
    """The vendor's description becomes Canvas's; the history has both."""
    (id_, *_) = school.powerschool.assignments_there
    there = school.powerschool.assignments_there
    there[id_] = replace(there[id_], description="<p>Vendor</p>", category_id=99)
    plan = takeover_of(school).plan("1", ALL)
    (first, _) = plan_json(plan, takeover_of(school).taken_over("1"), NOW)["candidates"]  # type: ignore[misc]
    assert {change["field"] for change in first["fields"]} == {"description", "category"}  # type: ignore[has-type]
    takeover_of(school).take_over("1", ALL)
    school.sync()
    (entry,) = [e for e in school.entries() if e.kind is WriteKind.UPDATE]
    assert {change.field: change.before for change in entry.fields}["description"] == "<p>Vendor</p>"


def test_one_assignment_alone(school: School) -> None:
    """The other one stays as it is."""
    takeover_of(school).take_over("1", replace(ALL, assignment_id="11"))
    school.sync()
    assert (school.reasons("11"), school.reasons("12")) == ([], [Reason.NAME_TAKEN])


def test_undone_and_done_again(school: School) -> None:
    """Before anything was written, an undo leaves no trace."""
    takeover = takeover_of(school)
    takeover.take_over("1", ALL)
    assert len(takeover.undo("1").undone) == 2
    school.sync()
    assert school.reasons("11") == [Reason.NAME_TAKEN]
    assert takeover.undo("1").undone == ()
    takeover.take_over("1", ALL)
    school.sync()
    assert school.reasons("11") == []


def test_what_was_written_to_cannot_be_undone(school: School) -> None:
    """The other one of the course can."""
    takeover = takeover_of(school)
    takeover.take_over("1", ALL)
    (other,) = [a for a in school.powerschool.assignments_there.values() if a.name == "Reading 2"]
    school.powerschool.assignments_there[other.assignment_section_id] = replace(
        other, scores={**other.scores, 501: Score(Decimal(5))}
    )
    school.sync()
    result = takeover.undo("1")
    assert [link.assignment_id for link in result.written] == ["11"]
    assert [link.assignment_id for link in result.undone] == ["12"]


def test_a_write_whose_answer_was_lost_counts_as_written(school: School) -> None:
    """Nobody knows whether it arrived."""
    takeover_of(school).take_over("1", ALL)
    lost = TransientError("PUT /ws/xte/score: timeout", cause="powerschool_timeout", outcome_unknown=True)
    school.powerschool.faults.always("write_scores", lost)
    school.sync()
    assert takeover_of(school).undo("1").undone == ()


def test_a_write_whose_process_died_counts_as_written(school: School) -> None:
    """The audit has it, though no link says so."""
    takeover_of(school).take_over("1", ALL)
    target = school.links.of_course("1")[KEY].powerschool_assignment_section_id
    context = WriteContext((ChangeCause.EVENT,), "passback", 7)
    entry = AuditEntry(NOW, "1", *KEY, None, target, WriteKind.SCORES, context, answer_lost=True)
    school.audit.begin("1", [entry])
    result = takeover_of(school).undo("1")
    assert [link.assignment_id for link in result.written] == ["11"]


def test_links_that_were_taken_over_are_in_order(school: School) -> None:
    """`links check` finds nothing to check in them, before and after the sync."""
    takeover_of(school).take_over("1", ALL)
    for _ in range(2):
        actual = list(school.powerschool.assignments_there.values())
        checks = check_links(school.links.of_course("1"), actual, {SECTION_DCID}, frozenset({MARK}))
        assert all(check.is_ok for check in checks)
        school.sync()


@pytest.mark.parametrize("method", ["update", "write_scores"])
@pytest.mark.parametrize(
    "error",
    [
        AccessDenied("PUT: 403", cause="powerschool_403", status=403, error_text="not yours"),
        RequestRejected("PUT: 409", cause="powerschool_409", status=409, error_text="not yours"),
        AccessDenied("PUT: 403", cause="powerschool_grant_missing", status=403, error_text="not yours"),
        RequestRejected("PUT: 400", cause="powerschool_400", status=400, error_text="not yours"),
    ],
)
def test_the_first_refusal_undoes_what_was_not_written(school: School, method: str, error: RequestRejected) -> None:
    """One request is tried; nothing is a dead letter; the links are gone, and the reason says why."""
    if method == "update":
        for id_, actual in school.powerschool.assignments_there.items():
            school.powerschool.assignments_there[id_] = replace(actual, description="Vendor")
    takeover_of(school).take_over("1", ALL)
    school.powerschool.faults.calls.clear()
    school.powerschool.faults.always(method, error)
    school.sync()
    # Of a batch with two assignments, the first refusal may be about one of them; a 409 may be about a student.
    is_access = isinstance(error, AccessDenied)
    assert school.powerschool.faults.calls[method] <= (1 if method == "update" else 2 if is_access else 4)
    assert school.writes() == []
    assert school.letters() == []
    assert school.reasons("11") == school.reasons("12") == [Reason.TAKEOVER_REFUSED]
    assert "not yours" in school.record("11").findings[0].detail
    assert not school.links.of_course("1")
    assert school.takeovers.responses()["501"].is_refusal
    school.powerschool.faults.well()
    school.sync()
    assert school.reasons("11") == [Reason.NAME_TAKEN]
    apart = {c.work.key.assignment_id: c.apart for c in takeover_of(school).plan("1", ALL).candidates}
    assert (Apart.REFUSED,) in apart.values()


def test_a_refusal_with_a_reason_of_its_own_is_none_of_a_takeover(school: School) -> None:
    """A locked assignment is one locked assignment: the other one is written, and both stay linked."""
    takeover_of(school).take_over("1", ALL)
    first, second = school.powerschool.assignments_there
    school.powerschool.refused_targets[first] = "powerschool_locked"
    school.sync()
    assert len(school.links.of_course("1")) == 2
    assert sorted([school.reasons("11"), school.reasons("12")]) == [[], [Reason.ASSIGNMENT_LOCKED]]
    assert not school.takeovers.responses()["501"].is_refusal
    assert second


def test_a_student_whom_powerschool_does_not_name_is_no_refusal_of_the_takeover(school: School) -> None:
    """A 409 that names nobody may be about one student: the others' scores arrive, and the links stay."""
    for id_, actual in school.powerschool.assignments_there.items():
        scores = {**actual.scores, 502: Score(Decimal(1))}
        school.powerschool.assignments_there[id_] = replace(actual, scores=scores)
    takeover_of(school).take_over("1", ALL)
    school.powerschool.nameless_students = {501}
    school.sync()
    assert len(school.links.of_course("1")) == 2
    assert school.powerschool.points("Reading 1") == {501: Decimal(7), 502: Decimal("9.5")}
    assert not school.takeovers.responses()["501"].is_refusal


def test_passbacks_own_work_is_written_beside_a_refusal(school: School) -> None:
    """Only what others made is refused."""
    school.powerschool.assignments_there = {
        id_: replace(actual, created_by_plugin=MARK if actual.name == "Reading 2" else "501")
        for id_, actual in school.powerschool.assignments_there.items()
    }
    takeover_of(school).take_over("1", ALL)
    (vendor,) = [a for a in school.powerschool.assignments_there.values() if a.name == "Reading 1"]
    school.powerschool.refused_targets[vendor.assignment_section_id] = "powerschool_403"
    school.sync()
    assert (school.reasons("11"), school.reasons("12")) == ([Reason.TAKEOVER_REFUSED], [])
    assert school.powerschool.points("Reading 2")[501] == Decimal(5)


def test_an_accepted_change_is_known(school: School) -> None:
    """The maker's assignments may be changed, and the links say that they were."""
    takeover_of(school).take_over("1", ALL)
    school.sync()
    assert not school.takeovers.responses()["501"].is_refusal
    assert {link.taken_over for link in school.links.of_course("1").values()} == {Takeover("501", is_written=True)}


def test_a_refusal_is_over_once_a_change_of_the_maker_is_accepted(school: School) -> None:
    """PowerSchool permits it by now: a later run takes it over by itself."""
    takeover_of(school).take_over("1", ALL)
    school.powerschool.faults.always("write_scores", AccessDenied("PUT: 403", cause="powerschool_403", status=403))
    school.sync()
    (refused,) = school.takeovers.refusals("1")
    school.powerschool.faults.well()
    school.clock.advance(timedelta(minutes=1))
    assert len(takeover_of(school).take_over("1", ALL).links) == 1
    school.sync()
    assert not school.takeovers.refusals("1")
    assert set(takeover_of(school).take_over("1", ALL).links) == {refused}
    school.sync()
    assert school.reasons("11") == school.reasons("12") == []


def test_a_chosen_one_is_tried_again_after_a_refusal(school: School) -> None:
    """A person may choose it once PowerSchool permits it; the refusal is over with the new link."""
    takeover_of(school).take_over("1", ALL)
    school.powerschool.faults.always("write_scores", AccessDenied("PUT: 403", cause="powerschool_403", status=403))
    school.sync()
    school.powerschool.faults.well()
    key = next(iter(school.takeovers.refusals("1")))
    (there,) = [
        a.assignment_section_id
        for a in school.powerschool.assignments_there.values()
        if a.name == {"11": "Reading 1", "12": "Reading 2"}[key.assignment_id]
    ]
    takeover_of(school).take_over("1", Selection(assignment_id=key.assignment_id, assignment_section_id=there))
    assert not school.takeovers.refusals("1")
    school.sync()
    assert school.reasons(key.assignment_id) == []


def test_nothing_is_linked_while_the_course_is_synced(school: School) -> None:
    """A running sync has read the links: a takeover waits for its end, and gives up after a while."""
    lease = school.changes.lease("1")
    waits: list[float] = []
    with pytest.raises(CourseBusy):
        takeover_of(school, waits.append).take_over("1", ALL)
    assert waits
    assert takeover_of(school, lambda _: school.changes.leases.discard(lease)).take_over("1", ALL).links
    assert len(school.links.of_course("1")) == 2


def test_a_sync_that_starts_in_between_is_noticed(school: School) -> None:
    """The links are stored in one step with the look whether a sync runs."""
    keys, redis = school.stores.keys, school.stores.redis
    redis.hset(keys.taken("1"), "token", epoch_ms(NOW))
    with pytest.raises(CourseBusy):
        takeover_of(school).take_over("1", ALL)
    with pytest.raises(CourseBusy):
        takeover_of(school).undo("1")
    assert not school.links.of_course("1")


def test_a_link_that_came_meanwhile_is_left(school: School) -> None:
    """What was linked since the course was read stays as it is, and is read again."""
    takeover = takeover_of(school)
    read, made = takeover.plan, []

    def plan(*given: object, **options: object) -> object:
        found = read(*given, **options)  # type: ignore[arg-type]
        if not made:
            made.append(replace(found.links[KEY], taken_over=None))
            school.links.save("1", made[0])
        return found

    takeover.plan = plan  # type: ignore[method-assign, assignment]
    takeover.take_over("1", ALL)
    assert school.links.of_course("1")[KEY].taken_over is None
    assert len(school.links.of_course("1")) == 2


def test_deleted_after_the_takeover_it_is_made_anew(school: School) -> None:
    """As with passback's own: the link goes, and the next sync makes one of its own."""
    takeover_of(school).take_over("1", ALL)
    school.powerschool.assignments_there.clear()
    school.sync()
    assert school.reasons("11") == []
    assert {a.created_by_plugin for a in school.powerschool.assignments_there.values()} == {MARK}
    assert {link.taken_over for link in school.links.of_course("1").values()} == {None}


def test_renamed_after_the_takeover_it_gets_canvass_name(school: School) -> None:
    """The link is by id: no second one is made."""
    takeover_of(school).take_over("1", ALL)
    (id_, *_) = school.powerschool.assignments_there
    school.powerschool.assignments_there[id_] = replace(school.powerschool.assignments_there[id_], name="Renamed")
    school.sync()
    assert sorted(school.powerschool.names()) == ["Reading 1", "Reading 2"]


@pytest.mark.parametrize("clear_scores", [False, True])
def test_scores_that_canvas_does_not_have_stay(clear_scores: bool) -> None:
    """Passback did not send them: they are neither emptied nor reported as cleared, whatever the setting."""
    school = School(clear_scores=clear_scores)
    vendors(school)
    school.grade("S1", "11", None)
    takeover_of(school).take_over("1", ALL)
    school.sync()
    assert school.powerschool.points("Reading 1")[501] == Decimal(8)
    assert school.reasons("11") == []
    (first, _) = plan_json(_replanned(school), takeover_of(school).taken_over("1"), NOW)["candidates"]  # type: ignore[misc]
    assert first["scores_only_there"] == 1  # type: ignore[has-type]


def _replanned(school: School) -> object:
    school.forget_links()
    return takeover_of(school).plan("1", ALL)


def test_a_blocked_one_is_linked_and_waits(school: School) -> None:
    """The rule keeps it back as before; once it is mended, nothing is in the way."""
    school.edit("11", post_to_sis=False)
    plan = takeover_of(school).take_over("1", ALL)
    assert KEY in plan.links
    shown = plan_json(plan, takeover_of(school).taken_over("1"), NOW)
    (first, _) = shown["candidates"]  # type: ignore[misc]
    assert [reason["code"] for reason in first["held_back"]] == [Reason.SIS_SYNC_OFF]  # type: ignore[has-type]
    school.sync()
    assert school.reasons("11") == [Reason.SIS_SYNC_OFF]
    school.edit("11", post_to_sis=True)
    school.sync()
    assert school.reasons("11") == []


def test_an_assignment_in_other_courses_stays_apart(school: School) -> None:
    """PowerSchool changes an assignment in all of its sections: the teacher's list shows them."""
    (id_, *_) = school.powerschool.assignments_there
    there = school.powerschool.assignments_there[id_]
    school.powerschool.assignments_there[9001] = replace(there, assignment_section_id=9001, section_dcid=99)
    apart = {c.found[0].assignment_section_id: c.apart for c in takeover_of(school).plan("1", ALL).candidates}
    assert sorted(apart.values()) == [(), (Apart.OTHER_SECTIONS,)]
    assert apart[id_] == (Apart.OTHER_SECTIONS,)


def test_an_assignment_that_the_list_does_not_show_stays_apart(school: School) -> None:
    """Where nobody knows its sections, nothing is linked."""
    school.powerschool.sections_of_assignments = lambda *_: {}  # type: ignore[method-assign, assignment]
    assert not takeover_of(school).take_over("1", ALL).links


def test_made_by_a_teacher(school: School) -> None:
    """Only if teachers are selected."""
    school.powerschool.assignments_there = {
        id_: replace(actual, created_by_plugin=None) for id_, actual in school.powerschool.assignments_there.items()
    }
    assert not takeover_of(school).take_over("1", Selection()).links
    assert len(takeover_of(school).take_over("1", ALL).links) == 2
    school.sync()
    assert school.reasons("11") == []


def test_another_day_stays_apart(school: School) -> None:
    """And is told by the name that is taken."""
    there: dict[int, ActualAssignment] = school.powerschool.assignments_there
    for id_, actual in there.items():
        there[id_] = replace(actual, due_date=actual.due_date + timedelta(days=1))
    plan = takeover_of(school).take_over("1", ALL)
    assert {c.apart for c in plan.candidates} == {(Apart.OTHER_DATE,)}
    school.sync()
    assert school.reasons("11") == [Reason.NAME_TAKEN]
