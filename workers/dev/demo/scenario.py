"""The scenes of the demo's school day."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from redis.exceptions import RedisError

from shared.domain.outcome import DeadLetter
from shared.domain.passback.audit import entries_about
from shared.sandbox.district.small import Ids, student_dcid_of, user_id_of
from workers.container import Container
from workers.dev.demo.client import DemoClient
from workers.dev.process_group import ProcessDied

# A teacher takes a little less than this per paper.
PAPER_S = 0.25
SETTLED_WITHIN_S = 25.0
POLL_S = 0.1
OUTAGE_S = 4.5

SINGLE = "a single grade"
PAPERS = "30 papers, one by one"
QUIZ = "a quiz flood"
LATE = "a late change"
SPECIAL = "extra credit, decimals"
OUTAGE = "during an outage"
OPERATOR = "operator"
REPEATED_FAILURE = "after a dead letter"
BY_HAND = "beside a change by hand"


@dataclass
class DemoScenario:
    """Plays the scenes. `report` says what happens now; `check` is called often, and raises if a process ended."""

    client: DemoClient
    service: Container
    report: Callable[[str], None]
    check: Callable[[], None]

    def play(self) -> None:
        """Play every scene. Returns when no event, message or course is pending."""
        self._morning()
        self._papers_with_single_grades_elsewhere()
        self._quiz_flood()
        self._special_values()
        self._settle("the lesson")
        self._outage()
        self._dead_letter()
        self._changes_by_hand()

    def _morning(self) -> None:
        self.report("Morning: every course is edited once, so Canvas announces it.")
        for course_id, assignment_id in (
            (Ids.COURSE, Ids.LAB_REPORT),
            (Ids.CLOSED_COURSE, Ids.CLOSED_COURSE * 10 + 1),
            (Ids.COURSE_WITHOUT_SIS_ID, Ids.COURSE_WITHOUT_SIS_ID * 10 + 1),
            (Ids.COURSE_WITH_UNKNOWN_SECTIONS, Ids.COURSE_WITH_UNKNOWN_SECTIONS * 10 + 1),
        ):
            self.client.act(
                do="edit_assignment",
                course_id=course_id,
                assignment_id=assignment_id,
                changes={"description": "<p>Read it twice.</p>"},
            )
        self._settle("the first look at them")

    def _papers_with_single_grades_elsewhere(self) -> None:
        self.report("Two teachers grade: 30 papers in course 101, a few in 102 and 106.")
        elsewhere = {
            0: (Ids.HEALTHY_COURSE, Ids.STUDENTS_HEALTHY[0]),
            8: (Ids.OUTAGE_COURSE, Ids.STUDENTS_OUTAGE[0]),
            14: (Ids.HEALTHY_COURSE, Ids.STUDENTS_HEALTHY[1]),
            22: (Ids.OUTAGE_COURSE, Ids.STUDENTS_OUTAGE[1]),
            28: (Ids.HEALTHY_COURSE, Ids.STUDENTS_HEALTHY[2]),
        }
        for index, number in enumerate(Ids.STUDENTS_A):
            self.client.grade(PAPERS, Ids.COURSE, Ids.ESSAY_DRAFT, user_id_of(number), 12 + index % 8 + 0.5)
            if index in elsewhere:
                course_id, student = elsewhere[index]
                self.client.grade(SINGLE, course_id, course_id * 10 + 1, user_id_of(student), 9.0)
            self._pass_time(PAPER_S)

    def _quiz_flood(self) -> None:
        numbers = [*Ids.STUDENTS_A, *Ids.STUDENTS_B]
        self.report(f"{len(numbers)} students hand in a quiz at once; Canvas grades it.")
        scores = [(user_id_of(number), float(number % 11)) for number in numbers]
        self.client.take_quiz(QUIZ, Ids.COURSE, Ids.CHAPTER_QUIZ, scores)

    def _special_values(self) -> None:
        self.report("A late change, extra credit, decimals, an excuse and a Missing.")
        first, second, third, fourth = (user_id_of(number) for number in Ids.STUDENTS_HEALTHY[4:8])
        course, assignment = Ids.HEALTHY_COURSE, Ids.HEALTHY_COURSE * 10 + 2
        self.client.grade(LATE, Ids.COURSE, Ids.ESSAY_DRAFT, user_id_of(Ids.STUDENTS_A[0]), 20.0)
        self.client.grade(SPECIAL, course, assignment, first, 12.5)
        self.client.grade(SPECIAL, course, assignment, second, 7.125)
        self.client.act(do="excuse", course_id=course, assignment_id=assignment, user_id=third)
        self.client.act(do="mark_missing", course_id=course, assignment_id=assignment, user_id=fourth)

    def _outage(self) -> None:
        self.report("PowerSchool goes into maintenance; grades wait and spend no attempt.")
        self.client.powerschool_faults(maintenance=True)
        for number in Ids.STUDENTS_OUTAGE[2:5]:
            self.client.grade(OUTAGE, Ids.OUTAGE_COURSE, Ids.OUTAGE_COURSE * 10 + 1, user_id_of(number), 6.0)
        self._pass_time(OUTAGE_S)
        self.report("PowerSchool is back.")
        self.client.powerschool_faults()
        self._settle("the outage")

    def _dead_letter(self) -> None:
        attempts = len(self.service.settings.retry_waits) + 1
        self.report(f"PowerSchool fails {attempts} times on one score: it becomes a dead letter.")
        failure = {"method": "PUT", "path_prefix": "/ws/xte/score", "status": 500, "body": "{}", "times": attempts}
        self.client.powerschool_faults(fail_next=[failure])
        student = user_id_of(Ids.STUDENTS_OUTAGE[5])
        self.client.grade(REPEATED_FAILURE, Ids.OUTAGE_COURSE, Ids.OUTAGE_COURSE * 10 + 2, student, 10.0)
        found = self._wait_for_dead_letter()
        self.report(f"An operator retries it: {found.cause} after {found.attempts} attempts.")
        self.service.dead_letter_queue.retry([found], OPERATOR)
        self._settle("the retry")

    def _changes_by_hand(self) -> None:
        course, assignment, student = Ids.OUTAGE_COURSE, Ids.OUTAGE_COURSE * 10 + 1, Ids.STUDENTS_OUTAGE[0]
        self.report("A score is changed by hand in PowerSchool, a group renamed in Canvas.")
        self.client.rescore_by_hand(Ids.OUTAGE_DCID, "Warm-up 1", student_dcid_of(student), 1)
        self.client.act(do="rename_group", course_id=course, group_id=course * 10 + 3_000, name="Practice")
        self.client.grade(BY_HAND, course, assignment, user_id_of(Ids.STUDENTS_OUTAGE[6]), 8.0)
        self._settle("the changes by hand")
        history = entries_about(self.service.audit.of_course(str(course)), str(assignment), str(student))
        change = next(change for entry in history for change in entry.scores)
        assert change.before is not None
        assert change.after is not None
        self.report(f"Put back, in its category; the history has {change.before.points} -> {change.after.points}.")

    def _wait_for_dead_letter(self) -> DeadLetter:
        until = time.monotonic() + SETTLED_WITHIN_S
        while not (letters := self.service.dead_letters.all()):
            self.check()
            if time.monotonic() > until:
                raise ProcessDied("the demo ends: no dead letter was recorded")
            time.sleep(POLL_S)
        return letters[0]

    def _pass_time(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (remaining_s := until - time.monotonic()) > 0:
            self.check()
            time.sleep(min(remaining_s, POLL_S))

    def _settle(self, what: str) -> None:
        """Wait until no event, message or course is pending."""
        until = time.monotonic() + SETTLED_WITHIN_S
        while not self._is_idle():
            self.check()
            if time.monotonic() > until:
                raise ProcessDied(f"the demo ends: {what} was not done within {SETTLED_WITHIN_S:g} s")
            time.sleep(POLL_S)

    def _is_idle(self) -> bool:
        if self.client.outstanding_events():
            return False
        try:
            return not self.service.changes.pending_messages() and not any(self.service.changes.counts())
        except RedisError:
            return False
