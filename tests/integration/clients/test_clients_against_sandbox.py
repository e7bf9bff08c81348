"""The two clients against the sandboxes, over real sockets: requests, faults, and both ways to read PowerSchool."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import fakeredis
import httpx
import pytest
import redis

from shared.adapters.canvas import canvas_api, canvas_client
from shared.adapters.canvas.account import CanvasAccount
from shared.adapters.canvas.client import CanvasClient
from shared.adapters.http.exchange import RequestContext, use_context
from shared.adapters.powerschool import PowerSchool, powerschool
from shared.adapters.redis.keys import Keys
from shared.config import Settings, load
from shared.domain.passback.powerschool import NO_MARKS, ActualAssignment, DesiredAssignment, RosteredSection, Score
from shared.errors import AccessDenied, NotFound, RequestRejected, ServiceUnavailable, TransientError
from shared.ports.passback import ScoreRow
from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.district.small import District, small_district, student_dcid_of, user_id_of
from shared.sandbox.ids import Ids
from shared.sandbox.powerschool.app import create_app as powerschool_app
from tests.integration.sandbox_server import served
from tests.manual_clock import ManualClock

NOON = datetime(2031, 10, 6, 19, 0, tzinfo=UTC)
TODAY = NOON.date()
SECTION_SIS_ID = str(Ids.HEALTHY_DCID)


@pytest.fixture(scope="module")
def district() -> District:
    return small_district(TODAY)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def redis_client() -> Iterator[redis.Redis]:
    with fakeredis.FakeRedis() as client:
        yield client


@pytest.fixture
def canvas_url(district: District, clock: ManualClock) -> Iterator[str]:
    with served(canvas_app(district.canvas.model_copy(deep=True), clock)) as url:
        yield url


@pytest.fixture
def canvas(
    district: District, canvas_url: str, redis_client: redis.Redis, clock: ManualClock
) -> Iterator[CanvasClient]:
    settings = load({"PASSBACK_CANVAS_URL": canvas_url, "PASSBACK_CANVAS_TOKEN": district.canvas.token})
    with closing(canvas_client(settings, redis_client, Keys("test"), clock)) as client:
        yield client


@pytest.fixture
def people(
    district: District, canvas_url: str, redis_client: redis.Redis, clock: ManualClock
) -> Iterator[CanvasAccount]:
    settings = load({"PASSBACK_CANVAS_URL": canvas_url, "PASSBACK_CANVAS_TOKEN": district.canvas.token})
    with closing(canvas_api(settings, redis_client, Keys("test"), clock)) as api:
        yield CanvasAccount(api, settings.canvas_account)


def test_people_and_their_courses_are_read(people: CanvasAccount) -> None:
    """The students of a course by name, a person by name, and the courses of each by either id."""
    students = people.students(str(Ids.HEALTHY_COURSE))
    assert {student.sis_user_id for student in students} >= set(map(str, Ids.STUDENTS_HEALTHY))
    one = students[0]
    assert one in people.find(one.name)
    assert str(Ids.HEALTHY_COURSE) in people.courses_of(one.user_id)
    assert people.courses_of(one.user_id) == people.courses_of(sis_id=str(one.sis_user_id))
    assert people.find("nobody of this name") == ()
    with pytest.raises(RequestRejected):
        people.find("ab")
    with pytest.raises(NotFound):
        people.courses_of(sis_id="nobody")


@pytest.mark.parametrize(
    ("token", "asked", "is_known"),
    [
        ("abcdefgh", "abcdefgh", True),
        ("1234~abcdefgh", "1234~abcdefgh", True),
        ("abcdefgh", "1234~abcdefgh", True),
        ("abcdefgh", "another-token", False),
    ],
)
def test_the_end_of_the_own_token_is_read(
    token: str, asked: str, is_known: bool, district: District, redis_client: redis.Redis, clock: ManualClock
) -> None:
    """Found by the hint that Canvas gives of it, whether or not that has the shard's number; else not known."""
    ends_at = clock.now() + timedelta(days=9)
    seed = district.canvas.model_copy(deep=True, update={"token": token, "token_expires_at": ends_at})
    with served(canvas_app(seed, clock)) as url:
        settings = load({"PASSBACK_CANVAS_URL": url, "PASSBACK_CANVAS_TOKEN": token})
        with closing(canvas_client(settings, redis_client, Keys("test"), clock)) as client:
            assert client.token_ends_at(asked) == (ends_at if is_known else None)


def test_a_token_without_an_end_has_none(canvas: CanvasClient, district: District) -> None:
    """As Canvas lets administrators make them."""
    assert canvas.token_ends_at(district.canvas.token) is None


def test_the_teachers_of_a_course_are_read_with_their_addresses(people: CanvasAccount, district: District) -> None:
    """Active ones alone, each once, however many sections they teach."""
    (course,) = [each for each in district.canvas.courses if each.id == Ids.HEALTHY_COURSE]
    teacher_id = course.teacher_user_id
    assert people.teachers(str(Ids.HEALTHY_COURSE)) == {str(teacher_id): f"teacher{teacher_id}@canvas.example"}
    with pytest.raises(NotFound):
        people.teachers("987654321")


def test_without_the_right_to_see_addresses_there_are_none(
    district: District, redis_client: redis.Redis, clock: ManualClock
) -> None:
    """Canvas leaves the field out: the teachers are known, and have no address."""
    seed = district.canvas.model_copy(deep=True, update={"may_read_emails": False})
    with served(canvas_app(seed, clock)) as url:
        settings = load({"PASSBACK_CANVAS_URL": url, "PASSBACK_CANVAS_TOKEN": seed.token})
        with closing(canvas_api(settings, redis_client, Keys("test"), clock)) as api:
            reader = CanvasAccount(api, settings.canvas_account)
            assert list(reader.teachers(str(Ids.HEALTHY_COURSE)).values()) == [""]


@pytest.fixture
def powerschool_url(district: District, clock: ManualClock) -> Iterator[str]:
    with served(powerschool_app(district.powerschool, clock)) as url:
        yield url


@pytest.fixture
def settings(district: District, powerschool_url: str) -> Settings:
    plugin = district.powerschool.plugin
    return load(
        {
            "PASSBACK_POWERSCHOOL_URL": powerschool_url,
            "PASSBACK_POWERSCHOOL_CLIENT_ID": plugin.client_id,
            "PASSBACK_POWERSCHOOL_CLIENT_SECRET": plugin.client_secret,
        }
    )


@pytest.fixture
def ps(settings: Settings, redis_client: redis.Redis, clock: ManualClock) -> Iterator[PowerSchool]:
    with closing(powerschool(settings, redis_client, Keys("test"), clock)) as client:
        yield client


@pytest.fixture
def set_faults(powerschool_url: str) -> Callable[..., None]:
    def put(**faults: Any) -> None:
        httpx.put(f"{powerschool_url}/_sandbox/faults", json=faults).raise_for_status()

    return put


def section_of(ps: PowerSchool) -> RosteredSection:
    return ps.roster.sections([SECTION_SIS_ID])[SECTION_SIS_ID]


def wanted(**changes: Any) -> DesiredAssignment:
    values: dict[str, Any] = {
        "assignment_id": "1021",
        "section_dcid": Ids.HEALTHY_DCID,
        "name": "Warm-up 1",
        "description": "<p>Warm up.</p>",
        "due_date": TODAY + timedelta(days=5),
        "points": Decimal("10.5"),
        "category_id": Ids.CATEGORY_HOMEWORK,
    }
    return DesiredAssignment(**{**values, **changes})


def row(assignment_section_id: int, number: int, points: str = "9.25", **flags: bool) -> ScoreRow:
    return ScoreRow(assignment_section_id, student_dcid_of(number), Score(Decimal(points), **flags))


def actual_of(ps: PowerSchool, *scores_of: int) -> tuple[ActualAssignment, ...]:
    return ps.gradebook.assignments([section_of(ps)], scores_of)


def test_a_canvas_course_is_read_whole(canvas: CanvasClient) -> None:
    """Sections with SIS ids, every assignment with its group, overrides by section."""
    course = canvas.course(str(Ids.COURSE))
    assert {section.sis_section_id for section in course.sections} == {
        str(Ids.SECTION_A_DCID),
        str(Ids.SECTION_B_DCID),
    }
    assignments = {int(assignment.id): assignment for assignment in course.assignments}
    assert set(assignments) >= {Ids.ESSAY_DRAFT, Ids.SIS_SYNC_OFF, Ids.NOT_PUBLISHED, Ids.MODERATED}
    assert assignments[Ids.SIS_SYNC_OFF].post_to_sis is False
    assert assignments[Ids.NOT_PUBLISHED].published is False
    assert assignments[Ids.MODERATED].grades_published is False
    assert assignments[Ids.ONLY_FOR_A_MODULE].visible_to_everyone is False
    assert assignments[Ids.MAP_WORKSHEET].overrides[0].section_id == str(Ids.SECTION_B)
    assert assignments[Ids.ANONYMOUS].anonymize_students is True
    assert course.groups[assignments[Ids.ESSAY_DRAFT].group_id].name == "Homework"


def test_everyone_in_canvas_is_one_row(canvas: CanvasClient) -> None:
    """All students of both sections, exact scores, no test student."""
    rows = {row.user_id: row for row in canvas.gradebook(str(Ids.COURSE), [str(Ids.LAB_REPORT)])}
    numbers = [*Ids.STUDENTS_A, *Ids.STUDENTS_B, Ids.STUDENT_WHO_LEFT, Ids.STUDENT_UNKNOWN]
    assert rows.keys() == {str(user_id_of(number)) for number in numbers} | {str(Ids.USER_WITHOUT_SIS_ID)}
    scores = [row.submissions[str(Ids.LAB_REPORT)] for row in rows.values()]
    assert any(mark.score is not None and mark.score % 1 for mark in scores)
    assert any(mark.excused for mark in scores)
    assert any(mark.missing for mark in scores)


def test_an_unknown_canvas_course_is_not_found(canvas: CanvasClient) -> None:
    """It is no outage."""
    with pytest.raises(NotFound):
        canvas.course("424242")


@pytest.mark.parametrize("status", [403, 429])
def test_canvas_throttling_that_lasts_is_given_up(canvas: CanvasClient, canvas_url: str, status: int) -> None:
    """A bucket that stays full for longer than the caller's patience, which spends no attempt."""
    faults = {"throttle_status": status, "throttle_high_water_mark": 10, "throttle_request_cost": 500}
    httpx.put(f"{canvas_url}/_sandbox/faults", json=faults).raise_for_status()
    with use_context(RequestContext(None, lambda: timedelta(seconds=1))), pytest.raises(ServiceUnavailable) as caught:
        canvas.course(str(Ids.COURSE))
    assert caught.value.cause == "canvas_throttled"


def test_a_roster_is_read(ps: PowerSchool) -> None:
    """Term, school, teacher, students."""
    section = section_of(ps)
    assert (section.dcid, section.school_number, section.teacher_users_dcid) == (Ids.HEALTHY_DCID, 300, Ids.TEACHER)
    assert (section.term.first_day, section.term.year_id) == (TODAY - timedelta(days=60), 41)
    assert {sis_id: student.dcid for sis_id, student in section.students.items()} == {
        str(number): student_dcid_of(number) for number in Ids.STUDENTS_HEALTHY
    }
    assert all(student.active for student in section.students.values())


def test_who_left_is_not_active(ps: PowerSchool) -> None:
    """Or not listed at all."""
    sis_id = str(Ids.SECTION_A_DCID)
    students = ps.roster.sections([sis_id])[sis_id].students
    assert str(Ids.STUDENT_WHO_LEFT) not in {key for key, student in students.items() if student.active}
    assert str(Ids.STUDENT_UNKNOWN) not in students


def test_an_unknown_section_is_left_out(ps: PowerSchool) -> None:
    """The known one is still there."""
    assert set(ps.roster.sections([SECTION_SIS_ID, Ids.UNKNOWN_SECTION_SIS_ID])) == {SECTION_SIS_ID}


def test_sections_are_found_by_other_sis_ids(settings: Settings, redis_client: redis.Redis, clock: ManualClock) -> None:
    """Through the index of the plugin."""
    changed = settings.model_copy(update={"section_sis_id": "S{section_id}"})
    sis_id = f"S{Ids.HEALTHY_DCID - 30_000}"
    with closing(powerschool(changed, redis_client, Keys("test"), clock)) as ps:
        assert ps.roster.sections([sis_id])[sis_id].dcid == Ids.HEALTHY_DCID


def test_categories_are_those_of_the_teacher(ps: PowerSchool) -> None:
    """The inactive one included."""
    found = {category.id: category for category in ps.gradebook.categories(Ids.TEACHER, 41)}
    assert found.keys() == {
        Ids.CATEGORY_HOMEWORK,
        Ids.CATEGORY_QUIZ,
        Ids.CATEGORY_TESTS,
        Ids.CATEGORY_INACTIVE,
    }
    assert [category.id for category in found.values() if not category.active] == [Ids.CATEGORY_INACTIVE]


@pytest.mark.parametrize("header", [True, False])
def test_what_is_written_is_read_back(ps: PowerSchool, set_faults: Callable[..., None], header: bool) -> None:
    """Created, scored, read: the same values, marked as this plugin's."""
    set_faults(assignment_section_ids_header=header)
    created = ps.gradebook.create(Ids.TEACHER, wanted())
    first, second = Ids.STUDENTS_HEALTHY[:2]
    section_id = created.assignment_section_id
    ps.gradebook.write_scores(Ids.TEACHER, [row(section_id, first), row(section_id, second, "0", missing=True)])
    (found,) = actual_of(ps, section_id)
    assert (found.assignment_id, found.assignment_section_id) == (created.assignment_id, section_id)
    assert (found.name, found.description, found.points) == ("Warm-up 1", "<p>Warm up.</p>", Decimal("10.5"))
    assert (found.due_date, found.category_id) == (date(2031, 10, 11), Ids.CATEGORY_HOMEWORK)
    assert found.created_by_plugin in ps.gradebook.plugin_ids()
    assert found.scores == {
        student_dcid_of(first): Score(Decimal("9.25"), marks=NO_MARKS),
        student_dcid_of(second): Score(Decimal(0), missing=True, marks=NO_MARKS),
    }


def test_an_update_keeps_the_scores(ps: PowerSchool) -> None:
    """New name, date, points and category; the ids and the score stay."""
    section_id = ps.gradebook.create(Ids.TEACHER, wanted()).assignment_section_id
    student = Ids.STUDENTS_HEALTHY[0]
    ps.gradebook.write_scores(Ids.TEACHER, [row(section_id, student)])
    (before,) = actual_of(ps, section_id)
    desired = wanted(
        name="Warm-up one",
        description="",
        due_date=TODAY + timedelta(days=6),
        points=Decimal(20),
        category_id=Ids.CATEGORY_QUIZ,
    )
    ps.gradebook.update(Ids.TEACHER, before, desired)
    (after,) = actual_of(ps, section_id)
    assert after == replace(
        before,
        name="Warm-up one",
        description="",
        due_date=TODAY + timedelta(days=6),
        points=Decimal(20),
        category_id=Ids.CATEGORY_QUIZ,
    )


def test_a_flag_is_withdrawn(ps: PowerSchool) -> None:
    """The next score without it clears it."""
    section_id = ps.gradebook.create(Ids.TEACHER, wanted()).assignment_section_id
    student = Ids.STUDENTS_HEALTHY[0]
    ps.gradebook.write_scores(Ids.TEACHER, [row(section_id, student, "0", exempt=True)])
    ps.gradebook.write_scores(Ids.TEACHER, [row(section_id, student, "12")])
    (found,) = actual_of(ps, section_id)
    assert found.scores == {student_dcid_of(student): Score(Decimal(12), marks=NO_MARKS)}


def test_a_bad_student_is_named(ps: PowerSchool) -> None:
    """So that the rest can be written without."""
    section_id = ps.gradebook.create(Ids.TEACHER, wanted()).assignment_section_id
    good, bad = Ids.STUDENTS_HEALTHY[0], Ids.STUDENTS_OUTAGE[0]
    with pytest.raises(RequestRejected) as caught:
        ps.gradebook.write_scores(Ids.TEACHER, [row(section_id, good), row(section_id, bad)])
    assert caught.value.cause == "powerschool_student"
    assert [each.student_dcid for each in caught.value.rows] == [student_dcid_of(bad)]


def test_the_same_name_and_date_is_a_duplicate(ps: PowerSchool) -> None:
    """PowerSchool keeps them unique per section."""
    ps.gradebook.create(Ids.TEACHER, wanted())
    with pytest.raises(RequestRejected) as caught:
        ps.gradebook.create(Ids.TEACHER, wanted())
    assert caught.value.cause == "powerschool_duplicate"


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"due_date": TODAY + timedelta(days=90)}, "powerschool_due_date"),
        ({"category_id": Ids.CATEGORY_INACTIVE}, "powerschool_category"),
        ({"category_id": Ids.OTHER_CATEGORY_HOMEWORK}, "powerschool_category"),
    ],
)
def test_a_refused_assignment_says_why(ps: PowerSchool, change: dict[str, Any], cause: str) -> None:
    """By a cause that a rule can name."""
    with pytest.raises(RequestRejected) as caught:
        ps.gradebook.create(Ids.TEACHER, wanted(**change))
    assert caught.value.cause == cause


def test_another_teacher_may_not_write(ps: PowerSchool) -> None:
    """Who does not teach the section."""
    with pytest.raises(AccessDenied) as caught:
        ps.gradebook.create(Ids.OTHER_TEACHER, wanted())
    assert caught.value.cause == "powerschool_not_teaching"


def test_a_locked_term_refuses(ps: PowerSchool, set_faults: Callable[..., None]) -> None:
    """With a cause of its own."""
    set_faults(lock_term_ids=[4101])
    with pytest.raises(RequestRejected) as caught:
        ps.gradebook.create(Ids.TEACHER, wanted())
    assert caught.value.cause == "powerschool_locked"


def test_a_missing_grant_is_named(ps: PowerSchool, set_faults: Callable[..., None]) -> None:
    """The plugin's administrator learns which column it is."""
    set_faults(missing_grants=["assignment.createdbyplugin"])
    with pytest.raises(AccessDenied) as caught:
        ps.gradebook.create(Ids.TEACHER, wanted())
    assert caught.value.cause == "powerschool_grant_missing"
    assert "createdbyplugin" in caught.value.error_text


def test_scores_of_a_deleted_assignment_are_not_found(
    ps: PowerSchool, powerschool_url: str, redis_client: redis.Redis
) -> None:
    """PowerSchool says so with a 500."""
    created = ps.gradebook.create(Ids.TEACHER, wanted())
    deletion = {"do": "delete", "assignment_section_id": created.assignment_section_id}
    httpx.post(f"{powerschool_url}/_sandbox/act", json=deletion).raise_for_status()
    with pytest.raises(NotFound) as caught:
        ps.gradebook.write_scores(Ids.TEACHER, [row(created.assignment_section_id, Ids.STUDENTS_HEALTHY[0])])
    assert caught.value.rows[0].assignment_section_id == created.assignment_section_id
    assert actual_of(ps) == ()


def test_expired_tokens_and_resubmits_go_unnoticed(ps: PowerSchool, set_faults: Callable[..., None]) -> None:
    """Both are repeated once."""
    section_id = ps.gradebook.create(Ids.TEACHER, wanted()).assignment_section_id
    set_faults(expire_tokens=True, resubmit_once=True)
    ps.gradebook.write_scores(Ids.TEACHER, [row(section_id, Ids.STUDENTS_HEALTHY[0])])
    (found,) = actual_of(ps, section_id)
    assert len(found.scores) == 1


def test_a_lost_answer_leaves_something_to_adopt(ps: PowerSchool, set_faults: Callable[..., None]) -> None:
    """The create failed for now, and yet is there."""
    section_of(ps)
    set_faults(lose_response_after_commit=1, lose_response_path_prefix="/ws/xte")
    with pytest.raises(TransientError):
        ps.gradebook.create(Ids.TEACHER, wanted())
    set_faults()
    (orphan,) = actual_of(ps)
    assert (orphan.name, orphan.created_by_plugin in ps.gradebook.plugin_ids()) == ("Warm-up 1", True)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ({"maintenance": True}, "powerschool_unavailable"),
        ({"down": True}, "powerschool_unavailable"),
        ({"throttle_interval_ms": 60_000, "throttle_style": "403"}, "powerschool_throttled"),
        ({"throttle_interval_ms": 60_000, "throttle_style": "429"}, "powerschool_throttled"),
    ],
)
def test_an_unwell_powerschool_is_waited_for(
    ps: PowerSchool, set_faults: Callable[..., None], fault: dict[str, Any], cause: str
) -> None:
    """Nothing of it looks like an answer."""
    section = section_of(ps)
    set_faults(**fault)
    with pytest.raises(ServiceUnavailable) as caught:
        _ = [ps.gradebook.assignments([section], []) for _ in range(3)]
    assert caught.value.cause == cause
    assert caught.value.delay > timedelta(0)
