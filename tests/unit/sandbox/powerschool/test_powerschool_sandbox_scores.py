"""What the sandbox PowerSchool accepts and refuses of scores."""

from typing import Any

import pytest
from powerschool_client import (
    AMY,
    BOB,
    CAL,
    FOREIGN_CATEGORY,
    FOREIGN_SECTION,
    STRANGER,
    District,
    assignment,
    category,
)
from powerschool_client import score as row


def test_a_score_is_an_upsert_by_student() -> None:
    """Writing twice replaces the row; the answer carries no score id."""
    district = District()
    _, section_id = district.created()
    assert district.write_scores(row(section_id, AMY, 7)).json() == {}
    district.write_scores(row(section_id, AMY, 10.5))
    scores = district.state()[0]["scores"]
    assert list(scores) == [str(AMY)]
    assert scores[str(AMY)]["points"] == "10.5"


def test_one_bad_student_refuses_the_whole_batch() -> None:
    """A student who is not in the section refuses the batch with 409, named in `params`; nothing is written."""
    district = District()
    _, section_id = district.created()
    answer = district.write_scores(row(section_id, AMY), row(section_id, CAL))
    assert answer.status_code == 409
    (error,) = answer.json()["errors"]
    assert error["params"] == {"assignment_section_id": section_id, "student_dcid": CAL}
    assert error["field"].startswith(f"Student.id [{CAL}] does not have an AssignmentStudentAssociation")
    assert district.state()[0]["scores"] == {}


def test_a_student_who_left_is_refused_and_one_who_came_is_not() -> None:
    """Leaving and entering a section takes effect on the next write."""
    district = District()
    _, section_id = district.created()
    section = district.state()[0]["section_dcid"]
    district.act("drop_student", section_dcid=section, student_dcid=BOB)
    district.act("enroll_student", section_dcid=section, student_dcid=CAL)
    assert district.write_scores(row(section_id, BOB)).status_code == 409
    assert district.write_scores(row(section_id, CAL)).status_code == 200


def test_scores_can_be_written_after_the_term_ended() -> None:
    """A student enrolled to the end of the term can still be scored when the term is over."""
    district = District()
    _, section_id = district.created()
    district.wait(days=300)
    district.sign_in()
    assert district.write_scores(row(section_id, AMY)).status_code == 200


def test_a_deleted_assignment_is_500_with_its_words() -> None:
    """A score for a deleted assignment section is the quoted 500."""
    district = District()
    _, section_id = district.created()
    district.act("delete", assignment_section_id=section_id)
    answer = district.write_scores(row(section_id, AMY))
    words = f"Unable to find com.pearson.powerschool.xte.model.AssignmentSection with id {section_id}"
    assert (answer.status_code, answer.json()["message"]) == (500, words)


def test_a_wrong_or_foreign_id_is_403() -> None:
    """An assignmentid, and an assignment section of another teacher, are refused with 403."""
    district = District()
    assignment_id, _ = district.created()
    body = assignment(sectionsdcid=FOREIGN_SECTION, _assignmentcategoryassociations=category(FOREIGN_CATEGORY))
    assert district.create(body, STRANGER).status_code == 201
    foreign = district.state()[-1]["assignment_section_id"]
    assert [district.write_scores(row(key, AMY)).status_code for key in (assignment_id, foreign)] == [403, 403]


def test_points_above_the_maximum_are_extra_credit() -> None:
    """12 of 10 is accepted and kept; percent and letter are derived."""
    district = District()
    _, section_id = district.created()
    district.write_scores(row(section_id, AMY, 12))
    amy = district.state()[0]["scores"][str(AMY)]
    assert (amy["points"], amy["percent"], amy["letter"]) == ("12", "120", "A")


def test_six_decimals_are_kept() -> None:
    """Points are Numeric(18,6)."""
    district = District()
    _, section_id = district.created()
    district.write_scores(row(section_id, AMY, 9.123456))
    assert district.state()[0]["scores"][str(AMY)]["points"] == "9.123456"


def test_flags_are_set_and_cleared_by_the_next_write() -> None:
    """A row replaces the flags as well."""
    district = District()
    _, section_id = district.created()
    district.write_scores(row(section_id, AMY, 0, ismissing=True))
    assert district.state()[0]["scores"][str(AMY)]["missing"] is True
    district.write_scores(row(section_id, AMY, 5))
    assert district.state()[0]["scores"][str(AMY)]["missing"] is False


def test_an_exempt_row_needs_no_score() -> None:
    """A flag without score keys is legal and has no points."""
    district = District()
    _, section_id = district.created()
    bare = {"actualscoreentered": ..., "actualscorekind": ..., "scorepoints": ...}
    assert district.write_scores(row(section_id, AMY, isexempt=True, **bare)).status_code == 200
    amy = district.state()[0]["scores"][str(AMY)]
    assert (amy["points"], amy["exempt"], amy["kind"]) == (None, True, None)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"actualscoreentered": "9.5" + "0" * 28}, "Actual Score Entered"),
        ({"actualscoreentered": "9,5"}, "Actual Score Entered"),
        ({"actualscoreentered": "1E+1"}, "Actual Score Entered"),
        ({"actualscoreentered": "9"}, "Score Points"),
        ({"actualscorekind": "LETTER"}, "Actual Score Kind"),
        ({"actualscorekind": "SCORE_CODE"}, "Actual Score Entered"),
        ({"scoretype": "PERCENT"}, "Score Type"),
        ({"assignmentscoreid": 1}, "Score ID"),
        ({"actualscoreentered": ..., "actualscorekind": ..., "scorepoints": ...}, "Actual Score Entered"),
    ],
)
def test_one_invalid_value_is_refused_with_409(changes: dict[str, Any], code: str) -> None:
    """Each invalid value alone refuses the batch; a row without score and flag clears nothing."""
    district = District()
    _, section_id = district.created()
    answer = district.write_scores(row(section_id, AMY, **changes))
    assert answer.status_code == 409
    assert {error["code"] for error in answer.json()["errors"]} == {code}


def test_grade_scale_scores_need_the_grade_scale_item() -> None:
    """A grade scale score without its item's id is refused, with it accepted."""
    district = District()
    _, section_id = district.created(scoretype="GRADESCALE")
    letter = {"scoretype": "GRADESCALE", "actualscoreentered": "A"}
    assert district.write_scores(row(section_id, AMY, **letter)).status_code == 409
    assert district.write_scores(row(section_id, AMY, **letter, actualscoregradescaledcid=5)).status_code == 200


def test_percent_scores_give_exact_points() -> None:
    """88 % of 113 points is exactly 99.44."""
    district = District()
    _, section_id = district.created(scoretype="PERCENT", scoreentrypoints=113, totalpointvalue=113)
    district.write_scores(row(section_id, AMY, 88, scoretype="PERCENT", scorepoints=...))
    assert district.state()[0]["scores"][str(AMY)]["points"] == "99.44"


@pytest.mark.parametrize(("accepted", "status", "points"), [(False, 409, "7"), (True, 200, None)])
def test_a_blank_row_is_refused_unless_a_knob_lets_it_clear(accepted: bool, status: int, points: str | None) -> None:
    """Refused, the score stays; accepted, it is empty, with nothing of its kind left."""
    district = District()
    _, section_id = district.created()
    district.write_scores(row(section_id, AMY, 7))
    district.faults(accept_blank_scores=accepted)
    blank = row(section_id, AMY, actualscoreentered="", scorepoints=None, actualscorekind=..., scoretype=...)
    assert district.write_scores(blank).status_code == status
    assert district.state()[0]["scores"][str(AMY)]["points"] == points


def test_resubmit_is_asked_for_once() -> None:
    """412 "Resubmit" comes once; the same request then succeeds."""
    district = District()
    _, section_id = district.created()
    district.faults(resubmit_once=True)
    answers = [district.write_scores(row(section_id, AMY)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [412, 200]
    assert answers[0].json()["message"] == "Resubmit"


def test_a_score_code_of_a_teacher_shows_as_such() -> None:
    """A code entered by a teacher is a SCORE_CODE with its percent and flag."""
    district = District()
    _, section_id = district.created()
    district.act("score_code", assignment_section_id=section_id, student_dcid=AMY, code="IE")
    amy = district.state()[0]["scores"][str(AMY)]
    assert (amy["kind"], amy["entered"], amy["points"], amy["missing"]) == ("SCORE_CODE", "IE", "5", True)


def test_a_body_of_the_wrong_type_is_400_and_changes_nothing() -> None:
    """Ids must be numbers, `actualscoreentered` a text."""
    district = District()
    _, section_id = district.created()
    assert district.write_scores(row(section_id, AMY, actualscoreentered=9.5)).status_code == 400
    assert district.write_scores({**row(section_id, AMY), "studentsdcid": "x"}).status_code == 400
    assert district.state()[0]["scores"] == {}
