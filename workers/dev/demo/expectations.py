"""What the rules demand of the demo's day. Written by hand, independent of the code that the demo shows."""

from dataclasses import dataclass
from decimal import Decimal

from shared.sandbox.district.small import Ids, student_dcid_of, user_id_of
from workers.dev.demo.client import Json

# Points, missing, exempt.
Value = tuple[Decimal, bool, bool]
# Canvas assignment id, SECTIONS.DCID.
Location = tuple[int, int]

BOTH_SECTIONS = (Ids.SECTION_A_DCID, Ids.SECTION_B_DCID)

SENT: dict[int, tuple[int, ...]] = {
    Ids.ESSAY_DRAFT: (Ids.SECTION_A_DCID,),
    Ids.CHAPTER_QUIZ: BOTH_SECTIONS,
    Ids.LAB_REPORT: BOTH_SECTIONS,
    Ids.MAP_WORKSHEET: BOTH_SECTIONS,
    Ids.SAFETY_CHECK: BOTH_SECTIONS,
    Ids.VOCABULARY: BOTH_SECTIONS,
    Ids.BONUS_PUZZLE: BOTH_SECTIONS,
    Ids.NAME_OF_30: BOTH_SECTIONS,
    Ids.NAME_TAKEN: (Ids.SECTION_B_DCID,),
    Ids.HEALTHY_COURSE * 10 + 1: (Ids.HEALTHY_DCID,),
    Ids.HEALTHY_COURSE * 10 + 2: (Ids.HEALTHY_DCID,),
    Ids.OUTAGE_COURSE * 10 + 1: (Ids.OUTAGE_DCID,),
    Ids.OUTAGE_COURSE * 10 + 2: (Ids.OUTAGE_DCID,),
}

STUDENTS: dict[int, range] = {
    Ids.SECTION_A_DCID: Ids.STUDENTS_A,
    Ids.SECTION_B_DCID: Ids.STUDENTS_B,
    Ids.HEALTHY_DCID: Ids.STUDENTS_HEALTHY,
    Ids.OUTAGE_DCID: Ids.STUDENTS_OUTAGE,
}

REASONS: dict[int, str] = {
    Ids.SIS_SYNC_OFF: "sis_sync_off",
    Ids.NOT_PUBLISHED: "not_published",
    Ids.NOT_GRADABLE: "not_gradable",
    Ids.ATTENDANCE: "attendance",
    Ids.NAME_TOO_LONG: "name_too_long",
    Ids.DUE_DATE_MISSING: "due_date_missing",
    Ids.DUE_DATE_OUTSIDE_TERM: "due_date_outside_term",
    Ids.ONLY_FOR_STUDENTS: "not_assigned_to_everyone",
    Ids.ONLY_FOR_A_MODULE: "not_assigned_to_everyone",
    Ids.POINTS_MISSING: "points_missing",
    Ids.ANONYMOUS: "anonymous_until_posted",
    Ids.MODERATED: "moderated_until_released",
    Ids.CATEGORY_MISSING: "category_missing",
    Ids.NAME_TAKEN: "name_taken",
    Ids.NOT_GRADED_YET: "not_graded_yet",
    Ids.CLOSED_COURSE * 10 + 1: "term_closed",
    Ids.COURSE_WITHOUT_SIS_ID * 10 + 1: "course_sis_id_missing",
    Ids.COURSE_WITH_UNKNOWN_SECTIONS * 10 + 1: "section_unknown",
}

STUDENT_REASONS = {"student_not_in_section", "student_unknown", "student_sis_id_missing"}


@dataclass(frozen=True, slots=True)
class ExpectedScores:
    """The scores of one assignment in one section of PowerSchool, and those that the rules demand."""

    location: Location
    wanted: dict[int, Value]
    there: dict[int, Value]

    @property
    def agrees(self) -> bool:
        """Say whether PowerSchool holds exactly what the rules demand."""
        return self.wanted == self.there


def wanted_scores(submissions: list[Json], location: Location) -> dict[int, Value]:
    """Return what the rules demand for one location, from Canvas's submissions, by STUDENTS.DCID."""
    assignment_id, section_dcid = location
    dcids = {str(user_id_of(number)): student_dcid_of(number) for number in STUDENTS[section_dcid]}
    mine = {
        dcids[str(s["user_id"])]: s
        for s in submissions
        if str(s["assignment_id"]) == str(assignment_id) and str(s["user_id"]) in dcids
    }
    values = {dcid: _wanted(submission) for dcid, submission in mine.items()}
    return {dcid: value for dcid, value in values.items() if value is not None}


def _wanted(submission: Json) -> Value | None:
    missing, excused, score = bool(submission["missing"]), bool(submission["excused"]), submission["score"]
    if score is None and not missing and not excused:
        return None
    return (Decimal(str(score or 0)), missing, excused)


def expected_scores(row: Json) -> dict[int, Value]:
    """Return what PowerSchool holds, by STUDENTS.DCID."""
    scores = row["scores"]
    assert isinstance(scores, dict)
    return {int(dcid): (Decimal(s["points"]), s["missing"], s["exempt"]) for dcid, s in scores.items()}
