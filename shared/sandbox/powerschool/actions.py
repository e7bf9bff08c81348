"""What people do in PowerSchool while passback is at work, for the control plane and for tests.

Teachers rename, move, delete, lock and rescore at any time; students leave and arrive; teachers change (measured and
documented causes of failures in other integrations). Sections open and close, and school years end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from shared.sandbox.control import actions_of, change_fields
from shared.sandbox.powerschool.request import message, plain
from shared.sandbox.powerschool.rows import AssignmentSection, Enrollment, Score, Section, SectionTeacher, Student, Term
from shared.sandbox.powerschool.seed import SeedAssignment, add_assignment
from shared.sandbox.powerschool.state import PowerSchool
from shared.sandbox.powerschool.xte.assignment_rules import SCORE_TYPES
from shared.sandbox.powerschool.xte.score_values import SCORE_CODES, derive

T = TypeVar("T")

ASSIGNMENT_FIELDS: Final = frozenset(
    {"name", "due_date", "score_type", "weight", "counted", "scores_published", "locked"}
)
MARKS: Final = frozenset({"late", "collected", "absent", "incomplete", "exempt", "missing", "comment"})
SECTION_FIELDS: Final = frozenset({"category_weights", "grade_places"})
CATEGORY_FIELDS: Final = frozenset({"active", "in_final_grades", "default_publish_scores"})
PLUGIN_FIELDS: Final = frozenset({"v1_access", "queries_installed", "foreign_changes", "foreign_refusal"})
ENROLLMENT_FIELDS: Final = frozenset({"entry_date", "exit_date", "dropped"})
STUDENT_FIELDS: Final = frozenset({"number", "first_name", "last_name", "email", "school_number", "enroll_status"})
STAFF_FIELDS: Final = frozenset({"teacher_number", "first_name", "last_name", "email"})


class GradebookActions:
    """What teachers and administrators do to gradebooks. Raises: Refusal with 404 for an unknown id."""

    def __init__(self, state: PowerSchool) -> None:
        self._state = state

    def create(self, **assignment: Any) -> None:
        """Make an assignment by hand, from the fields of `SeedAssignment`."""
        seed = SeedAssignment.model_validate(assignment)
        _found(self._state.sections, seed.section_dcid, "section")
        add_assignment(self._state, seed)

    def delete(self, assignment_section_id: int) -> None:
        """Delete an assignment with its scores."""
        self._state.remove(self._state.assignments[self._row(assignment_section_id).assignment_id])

    def change_assignment(self, assignment_section_id: int, **changes: Any) -> None:
        """Change an assignment's name or due date, how it is scored or counted, or whether it is locked."""
        if changes.get("score_type", "POINTS") not in SCORE_TYPES:
            raise LookupError(f"no score type {changes['score_type']}")
        change_fields(self._row(assignment_section_id), ASSIGNMENT_FIELDS, changes)

    def lock(self, assignment_section_id: int) -> None:
        """Lock an assignment."""
        self.change_assignment(assignment_section_id, locked=True)

    def unlock(self, assignment_section_id: int) -> None:
        """Unlock an assignment."""
        self.change_assignment(assignment_section_id, locked=False)

    def rename(self, assignment_section_id: int, name: str) -> None:
        """Rename an assignment."""
        self.change_assignment(assignment_section_id, name=name)

    def move(self, assignment_section_id: int, due_date: date) -> None:
        """Move an assignment to another due date."""
        self.change_assignment(assignment_section_id, due_date=due_date)

    def rescore(self, assignment_section_id: int, student_dcid: int, points: Decimal) -> None:
        """Enter a score by hand; flags that were there are gone."""
        self._post_score(assignment_section_id, student_dcid, "REAL_SCORE", plain(points))

    def score_code(self, assignment_section_id: int, student_dcid: int, code: str) -> None:
        """Enter a special code, which appears as SCORE_CODE."""
        if code not in SCORE_CODES:
            raise message(404, f"no score code {code}")
        self._post_score(assignment_section_id, student_dcid, "SCORE_CODE", code)

    def mark_score(self, assignment_section_id: int, student_dcid: int, **marks: Any) -> None:
        """Set or remove flags and the comment of a score row, with or without a score in it."""
        row = self._row(assignment_section_id)
        score = row.scores.get(student_dcid) or Score(next(self._state.score_ids), self._state.clock.now())
        change_fields(score, MARKS, marks)
        row.scores[student_dcid] = score
        self._state.touch("assignmentscore", score.score_id)

    def change_category(self, category_id: int, **changes: Any) -> None:
        """Make a category usable or not, or change what new assignments of it start with."""
        change_fields(_found(self._state.categories, category_id, "category"), CATEGORY_FIELDS, changes)

    def activate_category(self, category_id: int) -> None:
        """Make a category usable."""
        self.change_category(category_id, active=True)

    def deactivate_category(self, category_id: int) -> None:
        """Make a category unusable."""
        self.change_category(category_id, active=False)

    def set_grade_calculation(self, section_dcid: int, **changes: Any) -> None:
        """Change how a term grade is calculated: `category_weights`, none for total points; `grade_places`."""
        change_fields(_found(self._state.sections, section_dcid, "section"), SECTION_FIELDS, changes)

    def lock_term(self, term_id: int) -> None:
        """Lock a term (TERMS.ID)."""
        self._state.locked_terms.add(term_id)

    def unlock_term(self, term_id: int) -> None:
        """Unlock a term (TERMS.ID)."""
        self._state.locked_terms.discard(term_id)

    def set_plugin(self, **changes: Any) -> None:
        """Change the plugin: its v1 access level, whether its queries are installed, what it may do to others' work."""
        change_fields(self._state.plugin, PLUGIN_FIELDS, changes)

    def _row(self, assignment_section_id: int) -> AssignmentSection:
        row = _found(self._state.assignment_sections, assignment_section_id, "assignment section")
        self._state.touch("assignmentsection", assignment_section_id)
        return row

    def _post_score(self, assignment_section_id: int, student_dcid: int, kind: str, entered: str) -> None:
        state, row = self._state, self._row(assignment_section_id)
        old = row.scores.get(student_dcid)
        score = Score(old.score_id if old else next(state.score_ids), state.clock.now(), entered=entered, kind=kind)
        row.scores[student_dcid] = score
        derive(score, row)
        state.touch("assignmentscore", score.score_id)


class RosterActions(GradebookActions):
    """What people do to rosters. Raises: Refusal with 404 for an unknown id, with 409 for one that is taken."""

    def drop_student(self, section_dcid: int, student_dcid: int) -> None:
        """Take a student out of a section today; the rows of the past stay."""
        self._section(section_dcid)
        for row in self._state.rosters[section_dcid]:
            if row.student_dcid == student_dcid and not row.dropped:
                row.dropped, row.exit_date = True, self._state.today()
                self._state.touch("cc", row.dcid)

    def enroll_student(self, section_dcid: int, student_dcid: int, entry_date: date | None = None) -> None:
        """Enroll a student in a section, today unless a date is given."""
        section = self._section(section_dcid)
        _found(self._state.students, student_dcid, "student")
        self._enroll(section, student_dcid, entry_date or self._state.today())

    def edit_enrollment(self, section_dcid: int, student_dcid: int, **changes: Any) -> None:
        """Edit the newest row of CC that a student has in a section; null removes the exit date."""
        self._section(section_dcid)
        own = {row.student_dcid: row for row in self._state.rosters[section_dcid]}
        row = _found(own, student_dcid, "enrollment of student")
        change_fields(row, ENROLLMENT_FIELDS, changes)
        self._state.touch("cc", row.dcid)

    def change_teacher(self, section_dcid: int, users_dcid: int | None) -> None:
        """Give a section another lead teacher, or none; co-teachers stay."""
        section = self._section(section_dcid)
        if users_dcid is not None:
            self._need_user(users_dcid)
        lead = [] if users_dcid is None else [SectionTeacher(users_dcid)]
        section.teachers = lead + [teacher for teacher in section.teachers if teacher.role == "co"]
        self._state.touch("sections", section_dcid)

    def deactivate_staff(self, staff_dcid: int) -> None:
        """Make a staff member (SCHOOLSTAFF.DCID) inactive."""
        _found(self._state.staff, staff_dcid, "staff").active = False
        self._state.touch("schoolstaff", staff_dcid)

    def add_co_teacher(
        self,
        section_dcid: int,
        users_dcid: int,
        start_date: date | None = None,
        end_date: date | None = None,
        role_id: int | None = None,
    ) -> None:
        """Add a co-teacher to a section, in a role and from a day on, which may be in the future."""
        section = self._section(section_dcid)
        self._need_user(users_dcid)
        section.teachers.append(SectionTeacher(users_dcid, "co", end_date, start_date, role_id))
        self._state.touch("sectionteacher", section_dcid)

    def end_co_teaching(self, section_dcid: int, users_dcid: int) -> None:
        """End a co-teacher's row with yesterday; the row stays."""
        section = self._section(section_dcid)
        for teacher in section.teachers:
            if teacher.users_dcid == users_dcid and teacher.role == "co":
                last_day = min(self._state.today(), self._state.term_of(section).last_day)
                teacher.end_date = last_day - timedelta(days=1)
        self._state.touch("sectionteacher", section_dcid)

    def add_student(self, student: Student, section_dcids: Sequence[int] = ()) -> None:
        """Add a student to a school, and enroll them in sections today."""
        if student.dcid in self._state.students:
            raise message(409, f"student {student.dcid} exists")
        sections = [self._section(dcid) for dcid in section_dcids]
        self._state.students[student.dcid] = student
        self._state.touch("students", student.dcid)
        for section in sections:
            self._enroll(section, student.dcid, self._state.today())

    def change_student(self, student_dcid: int, **changes: Any) -> None:
        """Rename or renumber a student, change their address or school, or let them leave (`enroll_status`)."""
        change_fields(_found(self._state.students, student_dcid, "student"), STUDENT_FIELDS, changes)
        self._state.touch("person" if "email" in changes else "students", student_dcid)

    def change_staff(self, users_dcid: int, **changes: Any) -> None:
        """Rename or renumber a user, or change their address, at every school alike."""
        self._need_user(users_dcid)
        for staff in self._state.staff.values():
            if staff.dcid == users_dcid:
                change_fields(staff, STAFF_FIELDS, changes)
        self._state.touch("users", users_dcid)

    def rename_course(self, course_dcid: int, name: str) -> None:
        """Rename a course."""
        _found(self._state.courses, course_dcid, "course").name = name
        self._state.touch("courses", course_dcid)

    def open_section(self, section: Section, student_dcids: Sequence[int] = ()) -> None:
        """Add a section with students who enter it today."""
        state = self._state
        if section.dcid in state.sections:
            raise message(409, f"section {section.dcid} exists")
        if (section.term_id, section.school_number) not in {(t.id, t.school_number) for t in state.terms.values()}:
            raise message(404, f"no term {section.term_id}")
        students = [_found(state.students, dcid, "student") for dcid in student_dcids]
        state.sections[section.dcid] = section
        state.touch("sections", section.dcid)
        for student in students:
            self._enroll(section, student.dcid, state.today())

    def close_section(self, section_dcid: int) -> None:
        """Delete a section with its enrollments and gradebook."""
        self._section(section_dcid)
        for assignment_id in {row.assignment_id for row in self._state.gradebooks[section_dcid].values()}:
            self._state.remove(self._state.assignments[assignment_id])
        del self._state.sections[section_dcid]
        self._state.rosters.pop(section_dcid, None)
        self._state.touch("sections", section_dcid)

    def roll_over(self, first_day: date | None = None) -> None:
        """Repeat every term of the newest school year in a new one, its sections with the same people.

        The new year begins on `first_day`, by default 30 days after today. The old one stays as it is.
        """
        state = self._state
        if not state.terms:
            raise message(409, "no school year to repeat")
        year_id = max(term.year_id for term in state.terms.values())
        terms = [term for term in state.terms.values() if term.year_id == year_id]
        shift = (first_day or state.today() + timedelta(days=30)) - min(term.first_day for term in terms)
        for old in sorted(terms, key=lambda term: term.dcid):
            new = replace(
                old,
                dcid=max(state.terms) + 1,
                id=old.id + 100,
                year_id=year_id + 1,
                first_day=old.first_day + shift,
                last_day=old.last_day + shift,
            )
            state.terms[new.dcid] = new
            state.touch("terms", new.dcid)
            self._repeat_sections(old, new)

    def _repeat_sections(self, old: Term, new: Term) -> None:
        """Give the new term the sections of the old one, with the students who have not left."""
        state = self._state
        sections = [s for s in state.sections.values() if (s.term_id, s.school_number) == (old.id, old.school_number)]
        for section in sections:
            copied = replace(
                section,
                dcid=max(state.sections) + 1,
                id=max(each.id for each in state.sections.values()) + 1,
                term_id=new.id,
                teachers=[SectionTeacher(each.users_dcid, each.role) for each in section.teachers if not each.end_date],
            )
            state.sections[copied.dcid] = copied
            state.touch("sections", copied.dcid)
            enrolled = dict.fromkeys(row.student_dcid for row in state.rosters[section.dcid] if not row.dropped)
            for student_dcid in enrolled:
                if state.students[student_dcid].enroll_status == 0:
                    self._enroll(copied, student_dcid, new.first_day)

    def _section(self, section_dcid: int) -> Section:
        return _found(self._state.sections, section_dcid, "section")

    def _need_user(self, users_dcid: int) -> None:
        _found({staff.dcid: staff for staff in self._state.staff.values()}, users_dcid, "user")

    def _enroll(self, section: Section, student_dcid: int, entry: date) -> None:
        """Add a row of CC that ends with the section's term."""
        dcid = next(self._state.enrollment_dcids)
        end = self._state.term_of(section).last_day + timedelta(days=1)
        self._state.rosters[section.dcid].append(Enrollment(dcid, section.dcid, student_dcid, entry, end))
        self._state.touch("cc", dcid)


ACTIONS: Final = actions_of(GradebookActions, RosterActions)


def _found(table: Mapping[int, T], key: int, kind: str) -> T:
    if key not in table:
        raise message(404, f"no {kind} {key}")
    return table[key]
