"""From what is stored to what arrives: a real mail server, a real webhook, the sandbox's Canvas, two beats at once."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import fakeredis
import pytest
from servers import mail_server, webhook

from shared.clock import SystemClock
from shared.config import load
from shared.domain.notifications.state import DeliveryFailure, NotificationState, TargetState
from shared.domain.notifications.teachers import Digest, DigestPhase
from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, SectionRecord, State
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.queues import Task
from shared.sandbox.canvas.app import create_app
from shared.sandbox.district.small import small_district
from shared.sandbox.ids import Ids
from tests.integration.sandbox_server import served
from workers.alerts import alerts
from workers.container import Container
from workers.grade_passback.scheduled import run_once_per_interval
from workers.notifications.tasks import NOTIFY_INTERVAL, check_and_tell
from workers.status import read_status

pytestmark = pytest.mark.slow
NOW = SystemClock().now()


@contextmanager
def container(server: fakeredis.FakeServer, **settings: str) -> Iterator[Container]:
    given = {f"PASSBACK_{name}": value for name, value in settings.items()}
    given |= {"PASSBACK_NOTIFY_QUIET_HOURS": "", "PASSBACK_DISTRICT_TIME_ZONE": "America/Chicago"}
    redis = fakeredis.FakeRedis(server=server)
    with closing(Container(load(given, Path("/dev/null")), redis=redis)) as made:
        yield made


def test_two_beats_send_one_message() -> None:
    """With several workers that run the task at the same time, with the lock of the interval and without."""
    server = fakeredis.FakeServer()
    with webhook() as (hook, port):

        def work(*, with_lock: bool) -> None:
            with container(server, NOTIFY_URLS=f"json://127.0.0.1:{port}/hook") as one:
                if with_lock:
                    run_once_per_interval(one, Task.NOTIFY, NOTIFY_INTERVAL, lambda: check_and_tell(one))
                else:
                    check_and_tell(one)

        with container(server) as one:
            one.dead_letters.add("101", None, "powerschool_500", "PUT /ws/xte: 500", 5)
        for with_lock in (True, False):
            threads = [threading.Thread(target=work, kwargs={"with_lock": with_lock}) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    (body,) = hook.bodies
    assert body["title"] == "passback: 1 job waits for a person. PowerSchool kept answering with an error."


def test_settings_that_are_emptied_leave_no_problem_behind() -> None:
    """A target that failed, and a digest that was given up, are problems only as long as somebody is to be told."""
    server = fakeredis.FakeServer()
    with container(server) as one:
        failing = TargetState("json 1", failed=5, last_failure=DeliveryFailure.TIMED_OUT)
        with one.notifications.lease() as token:
            assert token
            one.notifications.save(NotificationState(NOW, targets={"json 1": failing}), token)
        one.teacher_digests.begin(Digest(NOW, DigestPhase.LOST), ["101"])
        problems = {"notify_failed", "teachers_not_told"}
        assert problems <= {alert.code for alert in alerts(read_status(one))}
        check_and_tell(one)
        assert not problems & {alert.code for alert in alerts(read_status(one))}


def test_a_teacher_is_told_by_mail_and_nothing_of_them_is_stored() -> None:
    """The address comes from Canvas, and is gone afterwards; the message names nobody."""
    district = small_district(NOW.date())
    server = fakeredis.FakeServer()
    course_id = str(Ids.HEALTHY_COURSE)
    section = SectionRecord("401", State.BLOCKED, (Finding(Reason.NAME_TOO_LONG),))
    record = CourseRecord(course_id, NOW, (AssignmentRecord("5", "Essay", (section,)),), name="Biology")
    with served(create_app(district.canvas)) as canvas, mail_server() as (box, port):
        settings = {
            "CANVAS_URL": canvas, "CANVAS_TOKEN": district.canvas.token,
            "NOTIFY_TEACHERS_URL": f"mailto://127.0.0.1:{port}?from=passback@district.example",
        }  # fmt: skip
        with container(server, **settings) as one:
            one.records.save(record)
            check_and_tell(one)
            first = one.teacher_digests.read()
            assert first is not None
            one.teacher_digests.save(replace(first, due=first.due - timedelta(days=7)))
            check_and_tell(one)
            check_and_tell(one)
            stored = b" ".join(one.redis.dump(key) or b"" for key in one.redis.scan_iter("*notifications*"))
            assert one.teacher_digests.read() == Digest(first.due, DigestPhase.DONE, sent=1)
    ((recipients, mail),) = box.mails
    assert recipients == ["teacher9001@canvas.example"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert f"{canvas}/courses/{course_id}/assignments/5" in mail.get_content()  # type: ignore[attr-defined]
    assert b"@canvas.example" not in stored
    assert [word for word in ("Essay", "Biology", "Teacher 9001") if word in str(mail)] == []
