"""Values that the field contradicts: what counts, flags withdrawn, odd names and descriptions, what comes back changed.

Each test is a situation that districts have reported. Both systems are sandboxes behind real sockets.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from shared.domain.passback.changes import ChangeCause
from shared.sandbox.district.small import student_dcid_of, user_id_of
from shared.sandbox.ids import Ids
from tests.integration.passback.test_refusals_are_explained import CREATE, FIRST, NOON, ONE, TWO, Town, town

EMOJI = "Quiz \U0001f389 time"
WRITTEN = '<p>Read.</p><a href="/files/7/download?wrap=1">x</a>'
YESTERDAY = (NOON - timedelta(days=1)).isoformat()
THREE = Ids.STUDENTS_HEALTHY[2]


@pytest.fixture
def here() -> Iterator[Town]:
    with town() as one:
        yield one


def edit(here: Town, **changes: object) -> None:
    here.canvas("edit_assignment", assignment_id=FIRST, changes=changes)


def act(here: Town, do: str, **arguments: object) -> None:
    response = httpx.post(f"{here.canvas_url}/_sandbox/act", json={"do": do, **arguments})
    assert response.is_success, response.text


def rows(here: Town) -> Any:
    """Return the section's assignments as PowerSchool has them."""
    found = httpx.get(f"{here.powerschool_url}/_sandbox/state").json()
    return [row for row in found if row["section_dcid"] == Ids.HEALTHY_DCID]


def there(here: Town) -> Any:
    """Return the first assignment as PowerSchool has it."""
    (row,) = [row for row in rows(here) if row["assignment_section_id"] == here.there]
    return row


def of_student(here: Town, number: int, *keys: str) -> Any:
    score = there(here)["scores"].get(str(student_dcid_of(number)), {})
    return tuple(score.get(key) for key in keys or ("points", "missing", "exempt"))


def mark(here: Town, number: int, **flags: object) -> None:
    """Let a teacher set flags in PowerSchool."""
    where = {"assignment_section_id": here.there, "student_dcid": student_dcid_of(number)}
    here.powerschool("mark_score", **where, **flags)


def of_user(number: int) -> dict[str, int]:
    return {"assignment_id": FIRST, "user_id": user_id_of(number)}


def codes(here: Town) -> list[str]:
    return [reason["code"] for reason in here.section()["reasons"]]


def student_codes(here: Town) -> list[str]:
    return [student["code"] for student in here.section()["students"]]


def sentence(here: Town, number: int) -> str:
    return str(here.explanation(number)["assignments"][0]["student"]["sentence"])


def sync(here: Town, times: int = 1) -> list[str]:
    """Sync the whole course; return what was written in the last of these syncs."""
    for _ in range(times):
        here.writes()
        here.sync(ChangeCause.PERSON)
    return here.writes()


def graded(here: Town, number: int = ONE, score: float = 7.5) -> None:
    here.grade(number, score)
    sync(here)


# What counts.


def test_practice_work_is_not_counted_and_a_change_follows(here: Town) -> None:
    """What Canvas counts nowhere is not counted; each change of the option is one write."""
    edit(here, omit_from_final_grade=True)
    graded(here)
    assert there(here)["counted"] is False
    for omitted in (False, True):
        edit(here, omit_from_final_grade=omitted)
        assert (sync(here), there(here)["counted"]) == (["update"], not omitted)
        assert sync(here) == []


@pytest.mark.parametrize(
    ("default", "field"), [("in_final_grades", "counted"), ("default_publish_scores", "scores_published")]
)
def test_the_category_decides_what_canvas_leaves_open(
    monkeypatch: pytest.MonkeyPatch, default: str, field: str
) -> None:
    """A category whose work does not count, or is not published, is taken at its word; its later change follows."""
    monkeypatch.setattr("shared.adapters.powerschool.gradebook.reader.CATEGORY_MAX_AGE", timedelta(seconds=1))
    with town() as here:
        here.powerschool("change_category", category_id=Ids.CATEGORY_HOMEWORK, **{default: False})
        graded(here)
        assert there(here)[field] is False
        assert sync(here) == []
        here.powerschool("change_category", category_id=Ids.CATEGORY_HOMEWORK, **{default: True})
        time.sleep(1.1)
        assert (sync(here), there(here)[field]) == (["update"], True)


def test_another_category_decides_anew(here: Town) -> None:
    """Work that moves to a group whose category does not count is no longer counted."""
    here.powerschool("change_category", category_id=Ids.CATEGORY_TESTS, in_final_grades=False)
    graded(here)
    here.canvas("create_group", name="Tests")
    edit(here, assignment_group_id=900_001)
    assert (sync(here), there(here)["counted"]) == (["update"], False)


def test_what_was_changed_by_hand_counts_again(here: Town) -> None:
    """As every other field that passback sends."""
    graded(here)
    here.powerschool("change_assignment", assignment_section_id=here.there, counted=False, scores_published=False)
    assert sync(here) == ["update"]
    assert (there(here)["counted"], there(here)["scores_published"]) == (True, True)


@pytest.mark.parametrize("option", ["hide_in_gradebook", "suppress_assignment"])
def test_what_canvas_hides_from_its_gradebook_is_not_sent(here: Town, option: str) -> None:
    """Neither option's assignments are anybody's grades."""
    edit(here, **{option: True})
    here.grade(ONE, 7.5)
    assert (sync(here), codes(here)) == ([], ["hidden_in_gradebook"])


# Flags.


def test_a_withdrawn_flag_takes_its_zero_along(here: Town) -> None:
    """Missing, then handed in late and not graded yet: what the flag alone brought goes with it."""
    here.faults(accept_blank_scores=True)
    graded(here)
    here.canvas("mark_missing", **of_user(TWO))
    sync(here)
    assert of_student(here, TWO) == ("0", True, False)
    here.canvas("submit", **of_user(TWO))
    assert (sync(here), of_student(here, TWO)) == (["scores"], (None, False, False))
    assert (sync(here), student_codes(here), codes(here)) == ([], [], [])
    assert of_student(here, ONE)[0] == "7.5"


def test_an_excuse_taken_back_takes_its_zero_along(here: Town) -> None:
    """The other flag."""
    here.faults(accept_blank_scores=True)
    graded(here)
    here.canvas("excuse", **of_user(TWO))
    sync(here)
    assert of_student(here, TWO)[2] is True
    here.canvas("excuse", **of_user(TWO), excused=False)
    assert (sync(here), of_student(here, TWO)) == (["scores"], (None, False, False))


def test_a_quiz_handed_in_late_that_waits_for_its_essay_is_no_longer_missing(here: Town) -> None:
    """Its partial score is not sent; the zero of the flag goes."""
    here.faults(accept_blank_scores=True)
    graded(here)
    here.canvas("mark_missing", **of_user(TWO))
    sync(here)
    here.canvas("quiz_submit", **of_user(TWO), score=3, waits_for_essay=True)
    assert (sync(here), of_student(here, TWO)) == (["scores"], (None, False, False))


def test_a_flag_that_powerschool_keeps_is_told_in_plain_words(here: Town) -> None:
    """Refused once, not repeated, and nobody is told of a score that nobody ever entered."""
    graded(here)
    here.canvas("mark_missing", **of_user(TWO))
    here.sync()
    here.canvas("submit", **of_user(TWO))
    here.sync()
    refused = here.refused_puts()
    here.sync()
    assert here.refused_puts() == refused == 1
    assert (student_codes(here), here.section()["state"]) == (["flag_not_withdrawn"], "synced")
    assert "nobody entered that 0" in sentence(here, TWO)
    here.grade(TWO, 6)
    here.sync()
    assert (of_student(here, TWO), student_codes(here)) == (("6", False, False), [])


def test_a_clearing_that_powerschool_only_says_it_did_is_not_repeated(here: Town) -> None:
    """Answered with 200, and the 0 is still there: told, and left."""
    here.faults(ignore_blank_scores=True)
    graded(here)
    here.canvas("mark_missing", **of_user(TWO))
    here.sync()
    here.canvas("submit", **of_user(TWO))
    here.sync()
    here.writes()
    here.sync()
    here.sync()
    assert (here.writes(), student_codes(here)) == ([], ["flag_not_withdrawn"])


def test_a_zero_that_a_teacher_entered_does_not_go_with_the_flag(here: Town) -> None:
    """It is a score that was sent: the setting decides what becomes of it."""
    here.faults(accept_blank_scores=True)
    here.grade(TWO, 0)
    here.canvas("mark_missing", **of_user(TWO))
    graded(here)
    here.canvas("clear", **of_user(TWO))
    here.canvas("submit", **of_user(TWO))
    assert (sync(here), student_codes(here)) == ([], ["score_cleared"])


def test_a_score_entered_in_powerschool_over_the_zero_stays(here: Town) -> None:
    """It is no longer passback's own."""
    here.faults(accept_blank_scores=True)
    graded(here)
    here.canvas("mark_missing", **of_user(TWO))
    sync(here)
    here.canvas("submit", **of_user(TWO))
    where = {"assignment_section_id": here.there, "student_dcid": student_dcid_of(TWO)}
    here.powerschool("rescore", **where, points="4")
    assert (sync(here), of_student(here, TWO)[0]) == ([], "4")


def test_missing_alone_creates_nothing(here: Town) -> None:
    """Due yesterday and nobody graded: PowerSchool gets it with the first score, and then the missing work too."""
    edit(here, due_at=YESTERDAY)
    assert (sync(here), codes(here), rows(here)) == ([], ["not_graded_yet"], [])
    assert here.section()["scores_wanted"] == 0
    assert "sent with the section's first score or excuse" in sentence(here, TWO)
    here.grade(ONE, 7.5)
    assert sync(here) == ["create", "scores"]
    assert (of_student(here, ONE)[0], of_student(here, TWO)) == ("7.5", ("0", True, False))


def test_an_excuse_creates_and_brings_the_missing_work_too(here: Town) -> None:
    """The second way in which grading begins."""
    edit(here, due_at=YESTERDAY)
    here.canvas("excuse", **of_user(ONE))
    assert sync(here) == ["create", "scores"]
    assert (of_student(here, ONE)[2], of_student(here, TWO)) == (True, ("0", True, False))


# Descriptions and names.


def test_a_theme_is_no_description(here: Town) -> None:
    """Neither theme tags nor scripts nor verifiers are sent, and a new theme writes nothing."""
    edit(here, description=WRITTEN)
    act(here, "change_theme", theme="blue")
    graded(here)
    assert there(here)["description"] == WRITTEN
    act(here, "change_theme", theme="red")
    assert sync(here) == []
    edit(here, description="<p>Read twice.</p>")
    assert (sync(here), there(here)["description"]) == (["update"], "<p>Read twice.</p>")


def test_a_description_that_is_locked_to_the_reader_is_unknown(here: Town) -> None:
    """PowerSchool keeps its text, also when another field is changed; one that a teacher emptied is empty."""
    edit(here, description=WRITTEN)
    graded(here)
    edit(here, locked_for_user=True)
    assert sync(here) == []
    edit(here, points_possible=20.0)
    assert (sync(here), there(here)["description"]) == (["update"], WRITTEN)
    edit(here, locked_for_user=False, description="")
    assert (sync(here), there(here)["description"] or "") == (["update"], "")


@pytest.mark.parametrize("name", ["Reading &notes ch. 2", "Salt &amp; Light", "&section 2", "a < b & c"])
def test_a_name_is_plain_text(here: Town, name: str) -> None:
    """It goes character for character."""
    edit(here, name=name)
    graded(here)
    assert (there(here)["name"], sync(here)) == (name, [])
    assert here.explanation()["assignments"][0]["name"] == name


# Time zones.


def test_a_course_across_the_time_zone_line_is_due_on_its_own_day(here: Town) -> None:
    """23:59:59 in the course's zone is that day, although the district is a day further."""
    course = {"course_id": Ids.HEALTHY_COURSE}
    act(here, "edit_course", **course, changes={"time_zone": "Pacific/Honolulu"})
    # 23:59:59 on the 10th in Honolulu is the 11th in Los Angeles.
    edit(here, due_at=datetime(2031, 10, 11, 9, 59, 59, tzinfo=UTC).isoformat())
    graded(here)
    assert there(here)["due_date"] == "2031-10-10"


def test_a_time_zone_that_was_just_changed_counts_for_whoever_asks_for_a_sync(here: Town) -> None:
    """Passback by itself takes it from an hour ago."""
    edit(here, due_at=datetime(2031, 10, 11, 6, 30, tzinfo=UTC).isoformat())
    graded(here)
    assert there(here)["due_date"] == "2031-10-10"
    act(here, "edit_course", course_id=Ids.HEALTHY_COURSE, changes={"time_zone": "Pacific/Kiritimati"})
    assert (sync(here), there(here)["due_date"], sync(here)) == (["update"], "2031-10-11", [])


def test_the_last_day_of_the_term_is_in_the_term_of_the_course(here: Town) -> None:
    """And so for a section's own date."""
    act(here, "edit_course", course_id=Ids.HEALTHY_COURSE, changes={"time_zone": "Pacific/Honolulu"})
    last_day = NOON.date() + timedelta(days=60)
    due_at = datetime(last_day.year, last_day.month, last_day.day, 9, 59, 59, tzinfo=UTC) + timedelta(days=1)
    override = {"course_section_id": Ids.HEALTHY_COURSE * 10 + 1, "due_at": due_at.isoformat()}
    here.canvas("add_override", assignment_id=FIRST, override=override)
    graded(here)
    assert (codes(here), there(here)["due_date"]) == ([], last_day.isoformat())


# What comes back changed.


@pytest.mark.parametrize(
    ("knob", "changes", "field", "stored"),
    [
        ({"lossy_names": True}, {"name": EMOJI}, "name", "Quiz ?? time"),
        ({"plain_descriptions": True}, {"description": WRITTEN}, "description", "Read.x"),
        ({"point_places": 0}, {"points_possible": 12.5}, "points", "13"),
    ],
)
def test_what_powerschool_stores_differently_is_written_once(
    here: Town, knob: dict[str, object], changes: dict[str, object], field: str, stored: str
) -> None:
    """Whether it was made so or changed later: reported, not blocked, and written again once either side changes."""
    here.faults(**knob)
    edit(here, **changes)
    graded(here)
    assert there(here)[field] == stored
    assert sync(here, 2) == []
    assert (here.section()["state"], codes(here)) == ("synced", ["stored_differently"])
    assert field in here.section()["reasons"][0]["message"]
    here.grade(TWO, 5)
    assert (sync(here), sync(here)) == (["scores"], [])
    edit(here, name="Warm-up one")
    assert (sync(here), sync(here)) == (["update"], [])
    edit(here, name="Warm-up 1", description="", points_possible=10.0)
    assert (sync(here), codes(here)) == (["update"], [])


@pytest.mark.parametrize("is_claimed", [True, False])
def test_a_lost_create_is_found_again_under_the_name_it_was_stored_with(here: Town, is_claimed: bool) -> None:
    """An assignment with an emoji in its name is not made twice, whether its answer or its link was lost."""
    here.faults(lossy_names=True, lose_response_after_commit=int(is_claimed), lose_response_path_prefix=CREATE)
    edit(here, name=EMOJI)
    graded(here)
    if not is_claimed:
        here.links.delete(str(Ids.HEALTHY_COURSE), str(FIRST), Ids.HEALTHY_DCID)
    sync(here)
    assert ([row["name"] for row in rows(here)], codes(here)) == (["Quiz ?? time"], ["stored_differently"])
    assert (of_student(here, ONE)[0], sync(here)) == ("7.5", [])


def test_a_name_renamed_by_hand_is_put_back_also_where_it_came_back_changed(here: Town) -> None:
    """The memory is of what PowerSchool made of the name, not of any other."""
    here.faults(lossy_names=True)
    edit(here, name=EMOJI)
    graded(here)
    here.powerschool("change_assignment", assignment_section_id=here.there, name="Mine")
    assert (sync(here), there(here)["name"]) == (["update"], "Quiz ?? time")
    assert sync(here) == []


@pytest.mark.parametrize(
    ("knob", "score", "stored"),
    [
        ({"score_places": 2}, 7.333333, "7.33"),
        ({"score_places": 0}, 7.5, "8"),
        ({"capped_scores": True}, 12, "10"),
    ],
)
def test_a_score_that_comes_back_changed_settles(
    here: Town, knob: dict[str, object], score: float, stored: str
) -> None:
    """Rounded or capped: left alone, told to whoever asks about the student, and a new score goes."""
    here.faults(**knob)
    graded(here, score=score)
    assert of_student(here, ONE)[0] == stored
    assert sync(here, 3) == []
    assert codes(here) == ["stored_differently"]
    assert f"PowerSchool stores it as {stored} of 10" in sentence(here, ONE)
    here.grade(ONE, 5)
    assert (sync(here), of_student(here, ONE)[0], sync(here), codes(here)) == (["scores"], "5", [], [])


def test_a_weighted_score_settles(here: Town) -> None:
    """Where a teacher gave the assignment a weight."""
    graded(here, score=4)
    here.faults(weighted_scores=True)
    here.powerschool("change_assignment", assignment_section_id=here.there, weight="2")
    here.grade(TWO, 3)
    sync(here)
    assert (of_student(here, TWO)[0], sync(here), codes(here)) == ("6", [], ["stored_differently"])


def test_a_score_changed_by_hand_is_put_back_twice(here: Town) -> None:
    """A person's change is no echo, however soon it follows the write."""
    graded(here)
    where = {"assignment_section_id": here.there, "student_dcid": student_dcid_of(ONE)}
    for _ in range(2):
        here.powerschool("rescore", **where, points="3")
        assert (sync(here), of_student(here, ONE)[0]) == (["scores"], "7.5")
    assert (sync(here), codes(here)) == ([], [])


# A teacher's own marks.


@pytest.mark.parametrize("keeps", [True, False])
def test_a_teachers_marks_stay(here: Town, keeps: bool) -> None:
    """Whether PowerSchool keeps flags that are left out or not; a comment stays too."""
    here.faults(keep_omitted_flags=keeps)
    graded(here)
    mark(here, ONE, late=True, collected=True, comment="See me.")
    mark(here, TWO, absent=True, incomplete=True)
    here.grade(ONE, 8)
    here.grade(TWO, 6)
    assert sync(here) == ["scores"]
    assert of_student(here, ONE, "points", "late", "collected", "comment") == ("8", True, True, "See me.")
    assert of_student(here, TWO, "points", "absent", "incomplete") == ("6", True, True)


def test_a_teachers_marks_stay_when_a_zero_goes(here: Town) -> None:
    """A row that is emptied keeps what is not passback's."""
    here.faults(accept_blank_scores=True)
    graded(here)
    here.canvas("mark_missing", **of_user(TWO))
    sync(here)
    mark(here, TWO, incomplete=True)
    here.canvas("submit", **of_user(TWO))
    sync(here)
    assert of_student(here, TWO, "points", "missing", "incomplete") == (None, False, True)


@pytest.mark.parametrize("score_type", ["PERCENT", "GRADESCALE", "COLLECTED"])
def test_a_score_type_changed_in_powerschool_is_a_reason_of_its_own(here: Town, score_type: str) -> None:
    """The reason names it, and its remedy can be followed."""
    graded(here)
    here.powerschool("change_assignment", assignment_section_id=here.there, score_type=score_type)
    here.grade(ONE, 8)
    here.grade(TWO, 6)
    sync(here)
    assert (codes(here), student_codes(here)) == (["score_type_changed"], [])
    assert score_type in here.section()["reasons"][0]["message"]
    here.powerschool("change_assignment", assignment_section_id=here.there, score_type="POINTS")
    assert (sync(here), codes(here)) == (["scores"], [])
