"""The control plane of the sandbox PowerSchool: seeds, state, actions and common faults."""

from typing import Any

import httpx
import pytest
from powerschool_client import (
    AMY,
    CATEGORY,
    OTHER_SECTION,
    SECTION,
    SEED,
    STRANGER,
    TEACHER,
    District,
    assignment,
    score,
)

CATEGORIES = f"/ws/xte/teacher_category?users_dcid={TEACHER}&year_id=36"


def test_seeding_replaces_everything() -> None:
    """A new seed starts anew: no assignments, no tokens."""
    district = District()
    district.created()
    assert district.call("POST", "/_sandbox/seed", json=SEED).status_code == 204
    assert district.state() == []
    assert district.call("GET", CATEGORIES).status_code == 401


@pytest.mark.parametrize(
    "change",
    [{"colour": "red"}, {"sections": [{**SEED["sections"][0], "term_id": 1}]}, {"enrollments": [{"dcid": 1}]}],
)
def test_a_seed_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    """Unknown keys, broken references and missing values are 422, and nothing is replaced."""
    district = District()
    district.created()
    assert district.call("POST", "/_sandbox/seed", json={**SEED, **change}).status_code == 422
    assert len(district.state()) == 1


def test_assignments_of_a_seed_are_there() -> None:
    """A teacher-made assignment of the seed has no plugin mark and can be locked."""
    made = {"section_dcid": SECTION, "name": "Own", "due_date": "2026-10-01", "points": 5, "category_id": CATEGORY}
    (row,) = District(seed={**SEED, "assignments": [{**made, "locked": True}]}).state()
    assert (row["name"], row["created_by_plugin"], row["locked"], row["points"]) == ("Own", None, True, "5")


def test_people_can_act_out_of_band() -> None:
    """A teacher renames, moves and rescores."""
    district = District()
    _, section_id = district.created()
    district.act("rename", assignment_section_id=section_id, name="By hand")
    district.act("move", assignment_section_id=section_id, due_date="2026-11-02")
    district.act("rescore", assignment_section_id=section_id, student_dcid=AMY, points="3.5")
    district.act("lock", assignment_section_id=section_id)
    (row,) = district.state()
    assert (row["name"], row["due_date"], row["scores"][str(AMY)]["points"]) == ("By hand", "2026-11-02", "3.5")
    assert row["locked"]
    district.act("unlock", assignment_section_id=section_id)
    assert not district.state()[0]["locked"]


def test_a_new_teacher_takes_the_section_over() -> None:
    """After a change of teacher the old one may no longer edit."""
    district = District()
    district.act("change_teacher", section_dcid=SECTION, users_dcid=STRANGER)
    assert district.create(assignment()).status_code == 403


def test_a_category_can_be_deactivated() -> None:
    """A deactivated category refuses a create."""
    district = District()
    district.act("deactivate_category", category_id=CATEGORY)
    assert district.create(assignment()).status_code == 409
    district.act("activate_category", category_id=CATEGORY)
    assert district.create(assignment()).status_code == 201


@pytest.mark.parametrize(
    ("body", "status"),
    [({"do": "dance"}, 422), ({"do": "change_assignment", "assignment_section_id": 1, "name": "x"}, 404)],
)
def test_an_impossible_act_is_refused(body: dict[str, object], status: int) -> None:
    """An unknown action is 422, an action on an unknown id 404."""
    assert District().call("POST", "/_sandbox/act", json=body).status_code == status


def test_accepted_writes_are_listed_with_their_time() -> None:
    """Every accepted write is listed; refused ones and those of people are not."""
    district = District()
    _, section_id = district.created()
    district.wait(seconds=5)
    district.write_scores(score(section_id, AMY))
    district.write_scores(score(section_id, 1))
    district.act("change_assignment", assignment_section_id=section_id, name="By hand")
    writes = district.writes()
    assert [write["kind"] for write in writes] == ["create", "scores"]
    assert writes[1]["students"] == [AMY]
    assert writes[1]["at"] == "2026-09-21T16:00:05+00:00"


def test_requests_are_logged_with_the_rows_they_wrote() -> None:
    """The log has method, path, status and score rows; the control plane is not in it."""
    district = District()
    _, section_id = district.created()
    district.call("DELETE", "/_sandbox/requests")
    district.write_scores(score(section_id, AMY))
    (logged,) = district.call("GET", "/_sandbox/requests").json()
    assert (logged["method"], logged["path"], logged["status"], logged["rows"]) == ("PUT", "/ws/xte/score", 200, 1)


def test_maintenance_is_a_redirect_to_a_page_that_answers_200() -> None:
    """In maintenance every call redirects to HTML with status 200."""
    district = District()
    district.faults(maintenance=True)
    answer = district.call("GET", CATEGORIES)
    assert answer.status_code == 302
    page = district.call("GET", answer.headers["location"])
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_down_is_503_until_the_faults_are_cleared() -> None:
    """A sandbox that is down answers 503; clearing the faults heals it."""
    district = District()
    district.faults(down=True)
    assert district.call("GET", CATEGORIES).status_code == 503
    district.call("DELETE", "/_sandbox/faults")
    assert district.call("GET", CATEGORIES).status_code == 200


def test_the_next_matching_requests_fail_as_told() -> None:
    """`fail_next` answers in place of the sandbox, for its method and path, as often as told."""
    district = District()
    failure = {"method": "GET", "path_prefix": "/ws/xte", "status": 502, "body": {"message": "bad"}, "times": 1}
    district.faults(fail_next=[failure])
    assert district.call("GET", "/ws/v1/metadata").status_code == 200
    assert [district.call("GET", CATEGORIES).status_code for _ in range(2)] == [502, 200]


def test_random_errors_repeat_with_their_seed() -> None:
    """The same seed gives the same errors."""
    district = District()
    runs = []
    for _ in range(2):
        district.faults(error_rate=0.5, error_status=500, seed=7)
        runs.append([district.call("GET", CATEGORIES).status_code for _ in range(12)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500}


def test_an_unknown_knob_is_refused() -> None:
    """A misspelt fault is an error."""
    assert District().call("PUT", "/_sandbox/faults", json={"latency": 5}).status_code == 422


def test_a_lost_response_in_process_raises_after_the_commit() -> None:
    """Without a socket the lost answer is a ConnectionResetError, and the write is there."""
    district = District()
    district.faults(lose_response_after_commit=1)
    with pytest.raises((ConnectionResetError, httpx.TransportError)):
        district.create(assignment())
    assert len(district.state()) == 1


VENDOR = {"section_dcid": SECTION, "name": "Vendor", "due_date": "2026-10-01", "points": 10, "category_id": CATEGORY}


def with_vendor(**changes: object) -> tuple[District, dict[str, Any]]:
    """Return a district whose only assignment another plugin made, and that assignment as it is read."""
    district = District(seed={**SEED, "assignments": [{**VENDOR, "created_by_plugin": "501", **changes}]})
    (row,) = [row for row in district.state() if row["section_dcid"] == SECTION]
    return district, row


@pytest.mark.parametrize("status", [403, 409])
@pytest.mark.parametrize(
    ("may", "update", "scores"), [("all", True, True), ("scores", False, True), ("none", False, False)]
)
def test_what_the_plugin_may_change_of_others_is_a_control(may: str, update: bool, scores: bool, status: int) -> None:
    """Nobody knows what PowerSchool answers: each answer can be chosen, and a refusal changes nothing."""
    district, row = with_vendor()
    district.act("set_plugin", foreign_changes=may, foreign_refusal=status)
    body = district.read(row["assignment_id"]).json()
    body["_assignmentsections"][0]["name"] = "Ours"
    assert district.update(row["assignment_id"], body).status_code == (201 if update else status)
    sent = district.write_scores(score(row["assignment_section_id"], AMY))
    assert sent.status_code == (200 if scores else status)
    (now,) = district.state()
    assert (now["name"], bool(now["scores"])) == ("Ours" if update else "Vendor", scores)


def test_what_the_plugin_made_itself_it_may_always_change() -> None:
    """The control is about others' assignments alone."""
    district = District()
    district.act("set_plugin", foreign_changes="none")
    _, section_id = district.created()
    assert district.write_scores(score(section_id, AMY)).status_code == 200


def test_an_assignment_of_a_seed_may_have_scores_and_several_sections() -> None:
    """As a teacher or a vendor leaves it: one assignment in two classes, with scores in the first."""
    district, row = with_vendor(also_in=[OTHER_SECTION], scores={str(AMY): "7.5"})
    assert row["scores"][str(AMY)]["points"] == "7.5"
    sections = district.read(row["assignment_id"]).json()["_assignmentsections"]
    assert [each["sectionsdcid"] for each in sections] == [SECTION, OTHER_SECTION]
