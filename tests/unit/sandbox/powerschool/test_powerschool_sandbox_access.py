"""Tokens, throttling, access levels and grants of the sandbox PowerSchool."""

from datetime import datetime

import pytest
from powerschool_client import AMY, CATEGORY, SECTION, TEACHER, District, assignment, score

CATEGORIES = f"/ws/xte/teacher_category?users_dcid={TEACHER}&year_id=36"


@pytest.mark.parametrize("path", ["/oauth/access_token", "/oauth/access_token/"])
def test_a_token_is_given_at_both_spellings_with_its_lifetime_as_text(path: str) -> None:
    """Both spellings of the token path answer; `expires_in` is a string of seconds."""
    answer = District().token(path).json()
    assert answer["expires_in"] == "3600"
    assert answer["token_type"] == "Bearer"


def test_a_wrong_secret_is_refused() -> None:
    """A wrong client secret is answered 401."""
    assert District().token(secret="wrong").status_code == 401


def test_too_many_token_requests_are_refused_with_429() -> None:
    """Fetching tokens more often than allowed answers 429."""
    district = District()
    district.faults(max_token_requests_per_minute=2)
    assert [district.token().status_code for _ in range(2)] == [200, 429]


def test_an_expired_token_is_401_with_the_header_and_no_body() -> None:
    """An expired token is answered 401 with `invalid_token` in the header and an empty body."""
    district = District()
    district.wait(seconds=3600)
    answer = district.call("GET", CATEGORIES)
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token",realm="PowerSchool"')


def test_the_knob_expires_tokens_once() -> None:
    """`expire_tokens` makes the tokens given so far invalid; a fresh one works."""
    district = District()
    district.faults(expire_tokens=True)
    assert district.call("GET", CATEGORIES).status_code == 401
    district.sign_in()
    assert district.call("GET", CATEGORIES).status_code == 200


def test_a_token_may_be_reused_with_a_shrinking_lifetime() -> None:
    """With `reuse_token` a repeated request returns the living token and what is left of its life."""
    district = District()
    district.app.state.powerschool.plugin.reuse_token = True
    first = district.token().json()
    district.wait(seconds=100)
    second = district.token().json()
    assert second["access_token"] == first["access_token"]
    assert int(second["expires_in"]) == int(first["expires_in"]) - 100


def test_without_v1_access_v1_is_refused_while_metadata_answers() -> None:
    """accessLevelV1Api NONE: v1 answers the quoted 401, metadata 200."""
    district = District()
    district.act("set_plugin", v1_access="NONE")
    answer = district.call("GET", "/ws/v1/district/school")
    assert answer.status_code == 401
    assert answer.json()["errorMessage"]["message"] == "Plugin is missing required accessLevelV1Api READ permission"
    assert district.call("GET", "/ws/v1/metadata", headers={}).status_code == 200


def test_the_time_needs_no_token() -> None:
    """`/ws/v1/time` answers everybody, in the district's time zone (documented)."""
    district = District()
    answer = district.call("GET", "/ws/v1/time", headers={})
    assert answer.status_code == 200
    assert datetime.fromisoformat(answer.json()["time"]).utcoffset() is not None


@pytest.mark.parametrize(
    ("style", "status"),
    [("403", 403), ("429", 429)],
)
def test_a_request_within_the_interval_is_throttled(style: str, status: int) -> None:
    """A call sooner than the interval is rejected in the style that is set; one after it passes."""
    district = District()
    district.faults(throttle_interval_ms=1500, throttle_style=style)
    district.wait(seconds=2)
    assert district.call("GET", CATEGORIES).status_code == 200
    answer = district.call("GET", CATEGORIES)
    assert answer.status_code == status
    assert "Wait 2 seconds." in answer.text or answer.headers.get("retry-after") == "2"
    district.wait(seconds=1.5)
    assert district.call("GET", CATEGORIES).status_code == 200


def test_token_requests_count_for_the_throttle() -> None:
    """The interval is shared by token and data calls."""
    district = District()
    district.faults(throttle_interval_ms=1000, throttle_style="429")
    district.wait(seconds=1)
    assert [district.token().status_code, district.call("GET", CATEGORIES).status_code] == [200, 429]


def test_a_missing_grant_fails_a_create() -> None:
    """Without the grant on `assignment.createdbyplugin` a create is refused, although PowerSchool fills the column."""
    district = District()
    district.faults(missing_grants=["assignment.createdbyplugin"])
    answer = district.create(assignment())
    assert answer.status_code == 403
    assert answer.json()["message"] == "No access to field"
    assert answer.json()["errors"] == [{"field": "assignment.createdbyplugin"}]
    assert district.state() == []


def test_a_missing_grant_fails_a_score() -> None:
    """Without a grant on a score column the score batch is refused."""
    district = District()
    _, section_id = district.created()
    district.faults(missing_grants=["ASSIGNMENTSCORE.ISMISSING"])
    assert district.write_scores(score(section_id, AMY)).status_code == 403


def test_a_missing_grant_fails_a_query() -> None:
    """A PowerQuery that returns a column without a grant is refused, naming it."""
    district = District()
    district.faults(missing_grants=["schoolstaff.users_dcid"])
    answer = district.query("roster.sections", section_dcids=[SECTION])
    assert answer.status_code == 403
    assert answer.json()["errors"] == [{"code": "NoAccess", "field": "users_dcid", "resource": "schoolstaff"}]


def test_categories_are_the_teachers_own_with_inactive_ones() -> None:
    """The category list holds the teacher's own rows, inactive ones too, null keys omitted."""
    rows = {row["teachercategoryid"]: row for row in District().call("GET", CATEGORIES).json()}
    assert sorted(rows) == [41, 42, 43]
    assert rows[CATEGORY]["_name"] == "teachercategory"
    assert rows[42]["isactive"] is False
    assert "defaultpublishoption" not in rows[42]


def test_categories_need_the_year() -> None:
    """The year is required of plugins: 400 without."""
    assert District().call("GET", f"/ws/xte/teacher_category?users_dcid={TEACHER}").status_code == 400
