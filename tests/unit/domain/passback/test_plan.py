"""The plan: desired minus actual."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.domain.passback.planning.diff import MAX_BYTES
from shared.domain.passback.planning.links import Link, temporary_name
from shared.domain.passback.planning.plan import (
    ClearScoresStep,
    CreateStep,
    LinkExistingStep,
    Plan,
    PlanFinding,
    Step,
    UnlinkStep,
    UpdateStep,
    WriteScoresStep,
    make_plan,
)
from shared.domain.passback.powerschool import (
    OWNED_FIELDS,
    ActualAssignment,
    AssignmentKey,
    DesiredAssignment,
    Score,
    WrittenField,
)
from shared.domain.passback.rules.reasons import Finding, Reason
from tests.unit.domain.passback.baseline import MARKS, SECTION_DCID, actual, claim, desired, linked, scores

KEY = AssignmentKey("11", SECTION_DCID)
WANTED = desired()
THERE = actual()
LINKS = linked((WANTED, THERE))
OTHER_DAY = date(2026, 10, 7)


def plan(
    wanted: DesiredAssignment | tuple[DesiredAssignment, ...] = WANTED,
    there: ActualAssignment | tuple[ActualAssignment, ...] = THERE,
    links: Mapping[AssignmentKey, Link] = LINKS,
    clear_scores: bool = False,
) -> Plan:
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    there = there if isinstance(there, tuple) else (there,)
    return make_plan(wanted, there, links, MARKS, clear_scores=clear_scores)


def kinds(of: Plan) -> list[type[Step]]:
    return [type(step) for step in of.steps]


def told(reason: Reason, detail: str = "", assignment_id: str = "11", student: int | None = None) -> PlanFinding:
    return PlanFinding(AssignmentKey(assignment_id, SECTION_DCID), Finding(reason, detail), student)


def taken(detail: str, assignment_id: str = "11") -> PlanFinding:
    return told(Reason.NAME_TAKEN, detail, assignment_id)


def in_powerschool(*ids: int) -> str:
    several = "several candidates: " if len(ids) > 1 else ""
    return f"{several}PowerSchool assignment section {', '.join(map(str, ids))}"


def renames(of: Plan) -> list[tuple[str, str]]:
    return [(step.key.assignment_id, step.desired.name) for step in of.steps if isinstance(step, UpdateStep)]


class TestAgreement:
    def test_nothing_differs(self) -> None:
        """Where PowerSchool agrees with Canvas, the plan is empty."""
        assert plan() == Plan()
        assert not plan().steps

    def test_nothing_desired(self) -> None:
        """Nothing desired touches nothing: what Canvas deleted stays in PowerSchool."""
        assert plan(()) == Plan()

    def test_summary(self) -> None:
        """The writes of a plan are its steps without links; steps are found by assignment and section."""
        orphan = actual(desired("12", "Lab"), id=7002)
        new = desired("13", "Quiz", students={501: "1", 502: "2"})
        made = plan((replace(WANTED, points=Decimal(20)), desired("12", "Lab"), new), (THERE, orphan))
        assert kinds(made) == [LinkExistingStep, UpdateStep, CreateStep, WriteScoresStep]
        assert made.writes == made.steps[1:]
        assert made.steps
        assert made.steps_of(AssignmentKey("13", SECTION_DCID)) == made.steps[2:]
        assert made.steps_of(AssignmentKey("12", SECTION_DCID)) == made.steps[:1]
        assert made.steps_of(AssignmentKey("11", SECTION_DCID)) == made.steps[1:2]
        assert made.steps_of(AssignmentKey("11", SECTION_DCID + 1)) == ()

    def test_findings_of(self) -> None:
        """The findings of one assignment in one section can be asked for."""
        made = plan((desired(students={}), desired("12", "Lab", students={})), (), {})
        assert made.findings_of(AssignmentKey("12", SECTION_DCID)) == (told(Reason.NOT_GRADED_YET, assignment_id="12"),)
        assert made.findings_of(AssignmentKey("12", SECTION_DCID + 1)) == ()


class TestCreate:
    def test_create(self) -> None:
        """A scored assignment that PowerSchool does not have is created, and then its scores are sent."""
        assert plan(there=(), links={}) == Plan((CreateStep(WANTED), WriteScoresStep(KEY, {501: Score(Decimal(8))})))

    @pytest.mark.parametrize("score", [Score(Decimal(0), missing=True), Score(Decimal(0), exempt=True)])
    def test_flag_creates(self, score: Score) -> None:
        """A missing or excused student is enough to create an assignment."""
        assert kinds(plan(desired(scores={501: score}), (), {})) == [CreateStep, WriteScoresStep]

    def test_not_graded_yet(self) -> None:
        """Without a score nothing is created."""
        assert plan(desired(students={}), (), {}) == Plan(findings=(told(Reason.NOT_GRADED_YET),))

    def test_claimed_but_not_graded_any_more(self) -> None:
        """A claim alone does not create an assignment without scores."""
        wanted = desired(students={})
        assert plan(wanted, (), claim(wanted)) == Plan(findings=(told(Reason.NOT_GRADED_YET),))

    def test_linked_without_scores(self) -> None:
        """An assignment that exists follows Canvas, whether it has scores or not."""
        wanted = desired(students={}, due_date=OTHER_DAY)
        assert kinds(plan(wanted)) == [UpdateStep]

    def test_deleted_in_powerschool(self) -> None:
        """An assignment deleted in PowerSchool by hand is created again, with all its scores."""
        wanted = desired(students={501: "8", 502: "9"})
        made = plan(wanted, ())
        assert kinds(made) == [UnlinkStep, CreateStep, WriteScoresStep]
        assert made.steps[0] == UnlinkStep(KEY)
        assert list(made.steps[2].scores) == [501, 502]  # type: ignore[union-attr]

    def test_deleted_in_powerschool_without_scores(self) -> None:
        """An assignment deleted in PowerSchool that has no scores waits for its first one."""
        assert plan(desired(students={}), ()) == Plan((UnlinkStep(KEY),), (told(Reason.NOT_GRADED_YET),))

    def test_same_id_in_another_section(self) -> None:
        """An assignment of another section is not the linked one, even under its id."""
        assert kinds(plan(there=replace(THERE, section_dcid=4002))) == [UnlinkStep, CreateStep, WriteScoresStep]


class TestUpdate:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"name": "Reading 2"}, WrittenField.NAME),
            ({"name": "READING 1"}, WrittenField.NAME),
            ({"description": "Chapter three."}, WrittenField.DESCRIPTION),
            ({"due_date": OTHER_DAY}, WrittenField.DUE_DATE),
            ({"points": Decimal("10.5")}, WrittenField.POINTS),
            ({"category_id": 62}, WrittenField.CATEGORY),
        ],
    )
    def test_one_field(self, changes: dict[str, object], field: WrittenField) -> None:
        """A field that differs is updated, and named."""
        wanted = desired(**changes)  # type: ignore[arg-type]
        assert plan(wanted) == Plan((UpdateStep(THERE, wanted, (field,)),))

    def test_every_field(self) -> None:
        """All fields that differ are named."""
        marks = {"counted": False, "scores_published": False}
        wanted = desired(name="A", description="B", due_date=OTHER_DAY, points=Decimal(1), category_id=62, **marks)
        [update] = plan(wanted, replace(THERE, counted=True, scores_published=True)).steps
        assert isinstance(update, UpdateStep)
        assert update.changed_fields == OWNED_FIELDS

    @pytest.mark.parametrize(
        "changes",
        [
            {"publish_option": "Never"},
            {"points": Decimal("10.000")},
            {"points": Decimal("10.0000004")},
            {"name": " Reading 1 "},
            {"description": " Chapters one\r\n and\u00a0two.\n"},
        ],
    )
    def test_no_difference(self, changes: dict[str, object]) -> None:
        """Spaces, line ends, trailing zeros and what passback does not own are no differences."""
        assert not plan(desired(**changes)).steps  # type: ignore[arg-type]

    def test_long_description(self) -> None:
        """What PowerSchool cannot hold of a description is no difference."""
        held = "x" * MAX_BYTES
        assert not plan(desired(description=held + "y"), replace(THERE, description=held)).steps
        assert kinds(plan(desired(description=held), replace(THERE, description=held[1:]))) == [UpdateStep]

    def test_category_by_hand(self) -> None:
        """A category that was taken away in PowerSchool is put back."""
        assert kinds(plan(there=replace(THERE, category_id=None))) == [UpdateStep]

    def test_changed_by_hand(self) -> None:
        """A value changed by hand in PowerSchool is put back."""
        moved = replace(THERE, due_date=OTHER_DAY)
        assert plan(there=moved) == Plan((UpdateStep(moved, WANTED, (WrittenField.DUE_DATE,)),))

    def test_update_before_scores(self) -> None:
        """Assignments are written before any scores."""
        second, its = desired("12", "Lab"), actual(desired("12", "Lab"), id=7002)
        made = plan(
            (
                desired(students={501: "9"}, due_date=OTHER_DAY),
                replace(second, due_date=OTHER_DAY, scores=scores({1: "1"})),
            ),
            (THERE, its),
            linked((WANTED, THERE), (second, its)),
        )
        assert kinds(made) == [UpdateStep, UpdateStep, WriteScoresStep, WriteScoresStep]


class TestScores:
    @pytest.mark.parametrize(
        "held",
        [
            Score(Decimal("7.5")),
            Score(None),
            Score(Decimal(8), missing=True),
            Score(Decimal(8), exempt=True),
            Score(Decimal(8), is_code=True),
        ],
    )
    def test_differs(self, held: Score) -> None:
        """A score, flag or code that differs is replaced, and the plan says what was there."""
        made = plan(there=replace(THERE, scores={501: held}))
        assert made.steps == (WriteScoresStep(KEY, {501: Score(Decimal(8))}, {501: held}),)

    @pytest.mark.parametrize("points", ["8", "8.000000", "8.0000004"])
    def test_equal(self, points: str) -> None:
        """An equal score is never sent again."""
        assert not plan(desired(students={501: points})).steps

    def test_only_differing_rows(self) -> None:
        """Only the scores that differ are sent, in the order of their students."""
        wanted = desired(students={503: "3", 501: "8", 502: "2"})
        held = replace(THERE, scores={501: Score(Decimal(8)), 503: Score(Decimal(1))})
        assert plan(wanted, held).steps == (
            WriteScoresStep(
                KEY,
                {502: Score(Decimal(2)), 503: Score(Decimal(3))},
                {503: Score(Decimal(1))},
            ),
        )

    def test_exempt_without_score(self) -> None:
        """An exempt student without a score needs no 0: neither counts."""
        wanted = desired(scores={501: Score(Decimal(0), exempt=True)})
        assert not plan(wanted, replace(THERE, scores={501: Score(None, exempt=True)})).steps

    def test_missing_without_score(self) -> None:
        """A missing student without a score needs the 0: it counts."""
        wanted = desired(scores={501: Score(Decimal(0), missing=True)})
        assert kinds(plan(wanted, replace(THERE, scores={501: Score(None, missing=True)}))) == [WriteScoresStep]

    def test_scores_of_others(self) -> None:
        """A score of a student whom Canvas does not mention is left alone."""
        held = replace(THERE, scores={**THERE.scores, 599: Score(Decimal(1))})
        assert not plan(there=held, links=linked((WANTED, THERE), sent_to=[501, 599])).steps


class TestClearedScores:
    WANTED = desired(students={501: "8"}, unscored=frozenset({502}))
    LINKS = linked((WANTED, THERE), sent_to=[501, 502])
    HELD = replace(THERE, scores={**THERE.scores, 502: Score(Decimal(4))})

    def test_reported(self) -> None:
        """A score that was sent and is now empty in Canvas is reported, and stays."""
        made = plan(self.WANTED, self.HELD, self.LINKS)
        assert made == Plan(findings=(told(Reason.SCORE_CLEARED, student=502),))

    def test_cleared_if_wanted(self) -> None:
        """Where the district wants it, the score is cleared instead."""
        made = plan(self.WANTED, self.HELD, self.LINKS, clear_scores=True)
        assert made == Plan((ClearScoresStep(KEY, {502: Score(Decimal(4))}),))

    def test_never_sent(self) -> None:
        """A score that a teacher entered in PowerSchool is neither reported nor cleared."""
        links = linked((WANTED, THERE), sent_to=[501])
        assert plan(self.WANTED, self.HELD, links, clear_scores=True) == Plan()

    @pytest.mark.parametrize("held", [{}, {502: Score(None)}])
    def test_already_empty(self, held: dict[int, Score]) -> None:
        """A score that is empty in PowerSchool too needs no word."""
        there = replace(THERE, scores={**THERE.scores, **held})
        assert plan(self.WANTED, there, self.LINKS, clear_scores=True) == Plan()

    @pytest.mark.parametrize("held", [Score(None, missing=True), Score(None, exempt=True)])
    def test_flags_left(self, held: Score) -> None:
        """A flag that was left over is reported like a score."""
        made = plan(self.WANTED, replace(THERE, scores={**THERE.scores, 502: held}), self.LINKS)
        assert made.findings == (told(Reason.SCORE_CLEARED, student=502),)

    def test_unscored_by_canvas_only(self) -> None:
        """A student whom Canvas does not list as unscored is not cleared."""
        assert plan(WANTED, self.HELD, self.LINKS, clear_scores=True) == Plan()

    def test_does_not_hold_up_others(self) -> None:
        """A cleared score is reported beside the writes of the rest."""
        made = plan(replace(self.WANTED, scores=scores({501: "9"})), self.HELD, self.LINKS)
        assert kinds(made) == [WriteScoresStep]
        assert made.findings == (told(Reason.SCORE_CLEARED, student=502),)


class TestLocked:
    @pytest.mark.parametrize("wanted", [desired(due_date=OTHER_DAY), desired(students={501: "9"})])
    def test_locked(self, wanted: DesiredAssignment) -> None:
        """A locked assignment that would change is left alone and reported."""
        assert plan(wanted, replace(THERE, locked=True)) == Plan(findings=(told(Reason.ASSIGNMENT_LOCKED),))

    def test_locked_and_agreeing(self) -> None:
        """A locked assignment that agrees with Canvas is fine."""
        assert plan(there=replace(THERE, locked=True)) == Plan()

    @pytest.mark.parametrize("locked", [False, None])
    def test_not_locked(self, locked: bool | None) -> None:
        """An assignment that is not known to be locked is written."""
        assert kinds(plan(desired(due_date=OTHER_DAY), replace(THERE, locked=locked))) == [UpdateStep]

    def test_locked_cleared(self) -> None:
        """A cleared score of a locked assignment is reported beside the lock."""
        wanted = replace(TestClearedScores.WANTED, due_date=OTHER_DAY)
        made = plan(wanted, replace(TestClearedScores.HELD, locked=True), TestClearedScores.LINKS)
        assert made == Plan(findings=(told(Reason.ASSIGNMENT_LOCKED), told(Reason.SCORE_CLEARED, student=502)))

    def test_locked_to_be_cleared(self) -> None:
        """A score of a locked assignment cannot be cleared."""
        made = plan(
            TestClearedScores.WANTED, replace(TestClearedScores.HELD, locked=True), TestClearedScores.LINKS, True
        )
        assert made == Plan(findings=(told(Reason.ASSIGNMENT_LOCKED),))


class TestAdoption:
    ADOPTED = Link("11", SECTION_DCID, "Reading 1", WANTED.due_date, 6001, 7001)

    def test_claim(self) -> None:
        """A create whose answer was lost is found again, and not repeated."""
        assert plan(links=claim(WANTED)) == Plan((LinkExistingStep(self.ADOPTED),))

    def test_lost_link(self) -> None:
        """An assignment of this plugin without a link is found again by section, name and due date.

        Its link has the students who have a score there: a score that Canvas empties later is known as sent.
        """
        assert plan(links={}) == Plan((LinkExistingStep(replace(self.ADOPTED, sent_to=frozenset({501}))),))

    @pytest.mark.parametrize("name", ["READING 1", " reading 1 "])
    def test_name_as_powerschool_compares(self, name: str) -> None:
        """Case and outer spaces do not make another name."""
        assert kinds(plan(there=replace(THERE, name=name), links={}))[0] is LinkExistingStep

    def test_scores_after_adoption(self) -> None:
        """After an adoption the scores that differ are sent."""
        assert kinds(plan(there=replace(THERE, scores={}), links=claim(WANTED))) == [LinkExistingStep, WriteScoresStep]

    def test_claim_under_its_own_name(self) -> None:
        """A claim is looked for as it was sent, even if Canvas changed name and due date since."""
        renamed = desired(name="Reading A", due_date=OTHER_DAY)
        made = plan(renamed, links=claim(WANTED))
        assert kinds(made) == [LinkExistingStep, UpdateStep]

    def test_claim_never_created(self) -> None:
        """A claim whose create never arrived is created."""
        assert kinds(plan(there=(), links=claim(WANTED))) == [CreateStep, WriteScoresStep]

    def test_claim_under_its_new_name(self) -> None:
        """A claim that is not there as it was sent is looked for as it is now."""
        earlier = desired(name="Reading A")
        assert plan(links=claim(earlier)) == Plan((LinkExistingStep(self.ADOPTED),))

    def test_deleted_link_and_orphan(self) -> None:
        """A link whose assignment is gone gives way to the plugin's other assignment of that name."""
        gone = linked((WANTED, actual(id=7009)))
        found = replace(self.ADOPTED, sent_to=frozenset({501}))
        assert plan(links=gone) == Plan((LinkExistingStep(found),))

    @pytest.mark.parametrize("mark", [None, "another-plugin"])
    def test_never_a_teachers(self, mark: str | None) -> None:
        """An assignment that this plugin did not make is never adopted."""
        there = replace(THERE, created_by_plugin=mark)
        assert plan(there=there, links={}) == Plan(findings=(taken(in_powerschool(7001)),))

    def test_never_a_teachers_for_a_claim(self) -> None:
        """Not even by a claim."""
        there = replace(THERE, created_by_plugin=None)
        assert plan(there=there, links=claim(WANTED)).findings == (taken(in_powerschool(7001)),)

    def test_other_due_date(self) -> None:
        """An assignment with another due date is not adopted."""
        there = replace(THERE, due_date=OTHER_DAY)
        assert plan(there=there, links={}).findings == (taken(in_powerschool(7001)),)

    def test_other_section(self) -> None:
        """An assignment of another section is not adopted."""
        assert kinds(plan(there=replace(THERE, section_dcid=4002), links={})) == [CreateStep, WriteScoresStep]

    def test_linked_by_another(self) -> None:
        """An assignment that another Canvas assignment is linked to is not adopted."""
        links = linked((desired("12", "Lab"), THERE))
        assert plan(links=links).findings == (taken(in_powerschool(7001)),)

    def test_several_candidates(self) -> None:
        """Of two candidates none is adopted, and no third is made."""
        there = (THERE, actual(id=7002))
        for links in ({}, claim(WANTED)):
            assert plan(there=there, links=links) == Plan(findings=(taken(in_powerschool(7001, 7002)),))

    def test_two_look_for_one(self) -> None:
        """Of two Canvas assignments that look for the same one, none adopts it, and none makes another."""
        made = plan((WANTED, desired("12")), links={})
        assert made == Plan(findings=(taken(in_powerschool(7001)), taken("Canvas assignment 11", "12")))

    def test_claim_looks_first(self) -> None:
        """A claim has the first right to what was sent for it."""
        renamed = desired(name="Reading A")
        made = plan((renamed, desired("12", "Reading 1")), links=claim(WANTED))
        assert kinds(made) == [LinkExistingStep, UpdateStep, CreateStep, WriteScoresStep]
        assert made.steps[0] == LinkExistingStep(replace(self.ADOPTED, name="Reading A"))

    def test_two_claims_for_one(self) -> None:
        """Of two claims for the same one, the one that still goes by the name gets it."""
        mine = desired("12", "Reading 1")
        made = plan((desired(name="Reading A"), mine), links={**claim(WANTED), **claim(mine)})
        assert made.steps[0] == LinkExistingStep(replace(self.ADOPTED, assignment_id="12"))
        assert kinds(made) == [LinkExistingStep, CreateStep, WriteScoresStep]


class TestNames:
    FOREIGN = actual(id=7005, created_by_plugin=None, due_date=OTHER_DAY, scores={})

    @pytest.mark.parametrize("name", ["Reading 1", "reading 1", " Reading 1"])
    def test_taken(self, name: str) -> None:
        """A name that a teacher gave in PowerSchool keeps assignment and grades back, whatever its due date."""
        there = replace(self.FOREIGN, name=name)
        assert plan(there=there, links={}) == Plan(findings=(taken(in_powerschool(7005)),))

    def test_taken_and_not_graded(self) -> None:
        """A taken name is told before the first score."""
        assert plan(desired(students={}), self.FOREIGN, {}).findings == (taken(in_powerschool(7005)),)

    def test_taken_elsewhere(self) -> None:
        """A name in another section is not taken here."""
        assert kinds(plan(there=replace(self.FOREIGN, section_dcid=4002), links={})) == [CreateStep, WriteScoresStep]

    def test_given_later(self) -> None:
        """A linked assignment keeps its name and goes on, even if a teacher makes another of that name."""
        assert kinds(plan(desired(students={501: "9"}), (THERE, self.FOREIGN))) == [WriteScoresStep]

    def test_moved_onto_a_teachers_day(self) -> None:
        """A linked assignment cannot be moved to the day of a teacher's of the same name: PowerSchool refuses that."""
        made = plan(desired(due_date=OTHER_DAY), (THERE, self.FOREIGN))
        assert made == Plan(findings=(taken(in_powerschool(7005)),))

    def test_day_becomes_free(self) -> None:
        """Of two assignments of one name, the second moves to the day that the first leaves."""
        second = desired("10", due_date=OTHER_DAY)
        its = actual(second, id=7002)
        made = plan(
            (desired(due_date=date(2026, 10, 9)), desired("10")), (THERE, its), linked((WANTED, THERE), (second, its))
        )
        assert [step.key.assignment_id for step in made.steps] == ["11", "10"]

    def test_renamed_onto_a_teachers(self) -> None:
        """A linked assignment that is renamed to a taken name keeps its old one, and receives all the rest."""
        wanted = desired(name="Essay", students={501: "9"}, points=Decimal(20))
        made = plan(wanted, (THERE, replace(self.FOREIGN, name="ESSAY")))
        assert made.findings == (taken(in_powerschool(7005)),)
        kept = replace(wanted, name=THERE.name)
        assert made.steps[0] == UpdateStep(THERE, kept, (WrittenField.POINTS,))
        assert kinds(made) == [UpdateStep, WriteScoresStep]

    def test_a_refused_rename_and_a_day_that_is_taken(self) -> None:
        """With its old name it cannot move onto the day of another one of that name: name and day stay."""
        wanted = desired(name="Essay", due_date=OTHER_DAY, students={501: "9"})
        namesake, essay = replace(self.FOREIGN, name="READING 1"), replace(self.FOREIGN, assignment_section_id=7006)
        made = plan(wanted, (THERE, namesake, replace(essay, name="Essay")))
        assert (kinds(made), made.findings) == ([WriteScoresStep], (taken(in_powerschool(7006)),))

    def test_blocked_in_canvas_but_there(self) -> None:
        """An assignment that is not desired any more keeps its name in PowerSchool."""
        gone = desired("99")
        made = plan(WANTED, THERE, linked((gone, THERE)))
        assert made.findings == (taken(in_powerschool(7001)),)

    @pytest.mark.parametrize("order", [1, -1])
    def test_two_of_one_name(self, order: int) -> None:
        """Of new Canvas assignments of one name the graded one with the lowest id goes; ids are numbers."""
        ungraded = desired("8", students={})
        new = (WANTED, desired("9", "READING 1", due_date=OTHER_DAY), desired("100"), ungraded)
        made = plan(new[::order], (), {})
        assert [(type(step), step.key.assignment_id) for step in made.steps] == [
            (CreateStep, "9"),
            (WriteScoresStep, "9"),
        ]
        names_9 = "Canvas assignment 9"
        assert set(made.findings) == {taken(names_9), taken(names_9, "8"), taken(names_9, "100")}

    def test_two_of_one_name_and_nobody_graded(self) -> None:
        """None is in another's way yet: each waits for its first score."""
        made = plan((desired(students={}), desired("12", students={})), (), {})
        assert made == Plan(findings=(told(Reason.NOT_GRADED_YET), told(Reason.NOT_GRADED_YET, "", "12")))

    def test_the_one_that_goes_finds_the_name_taken(self) -> None:
        """A teacher's assignment of that name is in the way of all of them."""
        made = plan((WANTED, desired("12")), self.FOREIGN, {})
        assert made == Plan(findings=(taken(in_powerschool(7005)), taken("Canvas assignment 11", "12")))

    def test_two_of_one_name_in_two_sections(self) -> None:
        """The same name in two sections is no conflict."""
        made = plan((WANTED, desired("12", section_dcid=4002)), (), {})
        assert kinds(made) == [CreateStep, CreateStep, WriteScoresStep, WriteScoresStep]

    def test_linked_wins(self) -> None:
        """Of two of one name, the linked one wins."""
        made = plan((desired("10"), desired(students={501: "9"})))
        assert kinds(made) == [WriteScoresStep]
        assert made.findings == (taken("Canvas assignment 11", "10"),)

    def test_linked_wins_before_it_is_renamed(self) -> None:
        """The linked one wins a name it does not have yet."""
        made = plan((desired(name="Essay"), desired("12", "Essay")))
        assert kinds(made) == [UpdateStep]
        assert made.findings == (taken("Canvas assignment 11", "12"),)

    def test_holder_wins(self) -> None:
        """Of two linked ones, the one that has the name in PowerSchool wins."""
        lab = desired("12", "Lab")
        its = actual(lab, id=7002)
        made = plan((WANTED, desired("12", "Reading 1")), (THERE, its), linked((WANTED, THERE), (lab, its)))
        assert made == Plan(findings=(taken("Canvas assignment 11", "12"),))

    def test_no_holder(self) -> None:
        """Of two linked ones that are both renamed to one name, the one with the lowest id gets it; grades go on."""
        lab = desired("12", "Lab")
        its = actual(lab, id=7002)
        wanted = (desired(name="Essay"), desired("12", "Essay", students={501: "9"}))
        made = plan(wanted, (THERE, its), linked((WANTED, THERE), (lab, its)))
        assert [(type(step), step.key.assignment_id) for step in made.steps] == [
            (UpdateStep, "11"),
            (WriteScoresStep, "12"),
        ]
        assert made.findings == (taken("Canvas assignment 11", "12"),)

    def test_both_hold(self) -> None:
        """Two linked ones that both have the name already, through a person in PowerSchool, both go on."""
        lab = desired("12", due_date=OTHER_DAY)
        its = actual(lab, id=7002)
        assert plan((WANTED, lab), (THERE, its), linked((WANTED, THERE), (lab, its))) == Plan()

    def test_chain(self) -> None:
        """A name that becomes free by another rename is taken after it."""
        lab, quiz = desired("12", "Lab"), desired("13", "Quiz")
        its, third = actual(lab, id=7002), actual(quiz, id=7003)
        made = plan(
            (desired(name="Lab"), desired("12", "Quiz"), desired("13", "Final"), desired("14", "Reading 1")),
            (THERE, its, third),
            linked((WANTED, THERE), (lab, its), (quiz, third)),
        )
        assert [step.key.assignment_id for step in made.steps] == ["13", "12", "11", "14", "14"]
        assert made.findings == ()

    def test_swap(self) -> None:
        """Two assignments exchange their names through a temporary name of one: one write more than there are names."""
        lab = desired("12", "Lab")
        its = actual(lab, id=7002)
        made = plan(
            (desired(name="Lab"), desired("12", "Reading 1")), (THERE, its), linked((WANTED, THERE), (lab, its))
        )
        assert renames(made) == [("11", "(renaming 11)"), ("12", "Reading 1"), ("11", "Lab")]
        assert [step.is_temporary for step in made.steps if isinstance(step, UpdateStep)] == [True, False, False]
        assert (kinds(made), made.findings) == ([UpdateStep] * 3, ())

    def test_swap_with_other_changes(self) -> None:
        """The temporary name changes nothing else; what else changed goes with the name that stays."""
        lab = desired("12", "Lab")
        its = actual(lab, id=7002)
        wanted = desired(name="Lab", points=Decimal(20), students={501: "9"})
        made = plan((wanted, desired("12", "Reading 1")), (THERE, its), linked((WANTED, THERE), (lab, its)))
        parking, _, last, scored = made.steps
        assert isinstance(parking, UpdateStep)
        assert replace(parking.desired, name=THERE.name, scores=WANTED.scores) == WANTED
        assert isinstance(last, UpdateStep)
        assert last.changed_fields == (WrittenField.NAME, WrittenField.POINTS)
        assert isinstance(scored, WriteScoresStep)

    def test_cycle_of_three(self) -> None:
        """One temporary name is enough."""
        names = ("Reading 1", "Lab", "Quiz")
        before = [desired(id_, name) for id_, name in zip(("11", "12", "13"), names, strict=True)]
        there = [actual(d, id=7000 + number) for number, d in enumerate(before, 1)]
        wanted = tuple(replace(d, name=name) for d, name in zip(before, (*names[1:], names[0]), strict=True))
        made = plan(wanted, tuple(there), linked(*zip(before, there, strict=True)))
        assert renames(made) == [("11", "(renaming 11)"), ("13", "Reading 1"), ("12", "Quiz"), ("11", "Lab")]

    def test_swap_of_days(self) -> None:
        """Two of one name, both there, that exchange their days: PowerSchool refuses two of one name and day."""
        late = desired("12", due_date=OTHER_DAY)
        its = actual(late, id=7002)
        wanted = (desired(due_date=OTHER_DAY), desired("12"))
        made = plan(wanted, (THERE, its), linked((WANTED, THERE), (late, its)))
        assert renames(made) == [("11", "(renaming 11)"), ("12", "Reading 1"), ("11", "Reading 1")]
        assert made.findings == ()

    @pytest.mark.parametrize("locked", ["11", "12"])
    def test_swap_with_a_locked_one(self, locked: str) -> None:
        """A locked assignment cannot take part: both keep their names, and the other one receives its scores."""
        lab = desired("12", "Lab")
        there = tuple(
            replace(each, locked=id_ == locked) for id_, each in (("11", THERE), ("12", actual(lab, id=7002)))
        )
        wanted = (desired(name="Lab", students={501: "9"}), desired("12", "Reading 1", students={501: "9"}))
        made = plan(wanted, there, linked((WANTED, there[0]), (lab, there[1])))
        assert [(type(step), step.key.assignment_id) for step in made.steps] == [
            (WriteScoresStep, "11" if locked == "12" else "12")
        ]
        assert {taken(in_powerschool(7002)), taken(in_powerschool(7001), "12")} <= set(made.findings)

    def test_swap_that_was_refused(self) -> None:
        """With one that PowerSchool did not let be renamed, nothing is tried again."""
        lab = desired("12", "Lab")
        its = actual(lab, id=7002)
        wanted = (desired(name="Lab"), desired("12", "Reading 1"))
        links = linked((WANTED, THERE), (lab, its))
        made = make_plan(wanted, (THERE, its), links, MARKS, immovable=frozenset({AssignmentKey("12", SECTION_DCID)}))
        assert made == Plan(findings=(taken(in_powerschool(7002)), taken(in_powerschool(7001), "12")))

    def test_swap_that_was_interrupted(self) -> None:
        """One that still has its temporary name is given its own, after the other one; nothing else is needed."""
        lab = desired("12", "Lab")
        its = actual(lab, id=7002)
        parked = replace(THERE, name="(renaming 11)")
        wanted = (desired(name="Lab"), desired("12", "Reading 1"))
        made = plan(wanted, (parked, its), linked((WANTED, THERE), (lab, its)))
        assert renames(made) == [("12", "Reading 1"), ("11", "Lab")]

    def test_swap_that_was_interrupted_and_taken_back(self) -> None:
        """It gets its old name again, where the new one is another's in the end."""
        parked = replace(THERE, name="(renaming 11)")
        made = plan(desired(name="Lab"), (parked, replace(self.FOREIGN, name="Lab")), LINKS)
        assert (renames(made), made.findings) == ([("11", "Reading 1")], (taken(in_powerschool(7005)),))

    def test_temporary_name_without_a_link(self) -> None:
        """It says whose it is: one whose link was lost is found again, instead of being made twice."""
        parked = replace(THERE, name="(renaming 11)")
        made = plan(WANTED, parked, {})
        assert (kinds(made), renames(made)) == ([LinkExistingStep, UpdateStep], [("11", "Reading 1")])

    def test_temporary_names_fit(self) -> None:
        """The shortest limit that a district can set is 30 characters; a Canvas id has 19 digits at the most."""
        assert len(temporary_name("9" * 19)) <= 30

    def test_name_of_a_locked_one(self) -> None:
        """A locked assignment cannot be renamed, so its name does not become free."""
        made = plan((desired(name="Essay"), desired("12", "Reading 1")), replace(THERE, locked=True))
        assert made == Plan(findings=(taken(in_powerschool(7001), "12"), told(Reason.ASSIGNMENT_LOCKED)))

    def test_name_is_kept_by_a_change_of_case(self) -> None:
        """A change of case keeps the name occupied."""
        made = plan((desired(name="READING 1"), desired("12", "reading 1")))
        assert kinds(made) == [UpdateStep]
        assert made.findings == (taken("Canvas assignment 11", "12"),)


def test_isolation() -> None:
    """An assignment that cannot be written keeps nothing else back."""
    lab = desired("12", "Lab")
    made = plan((WANTED, lab), (TestNames.FOREIGN,), {})
    assert [step.key.assignment_id for step in made.steps] == ["12", "12"]
    assert made.findings == (taken(in_powerschool(7005)),)
