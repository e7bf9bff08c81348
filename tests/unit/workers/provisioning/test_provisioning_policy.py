"""From settings to what provisioning goes by."""

from pathlib import Path
from zoneinfo import ZoneInfo

from shared.config import Settings, load
from shared.domain.provisioning.hold_reasons import Limits
from shared.domain.provisioning.imports.sis_imports import ImportOptions
from shared.domain.provisioning.policy import CoursePer, DroppedStatus, PreRegistered, ReplacedStatus
from shared.domain.provisioning.rows.sis_rows import Entity
from tests.unit.domain.provisioning.rosters import plan, roster
from workers.provisioning.planning import import_options, limits, provisioning_policy

CHICAGO = ZoneInfo("America/Chicago")


def loaded(**variables: str) -> Settings:
    return load({f"PASSBACK_{name}": value for name, value in variables.items()}, Path("no-such.env"))


def test_the_default_policy_plans_without_problems() -> None:
    """Nothing needs to be set."""
    planned = plan(roster(), provisioning_policy(loaded(), CHICAGO))

    assert planned.problems == ()
    assert planned.data_sets == plan().data_sets


def test_every_choice_reaches_the_policy() -> None:
    """Each setting changes its field."""
    policy = provisioning_policy(
        loaded(
            PROVISION_COURSE_PER="teacher",
            PROVISION_PUBLISH_COURSES="yes",
            PROVISION_ENROLLMENTS="dropped:inactive,pre-registered:wait,role-27:ta,role-28:Grader",
            PROVISION_SELECTION="school:100, school:200, course:-LUNCH*, section:-4711, section:-empty",
            PROVISION_ACCOUNT_SIS_ID="A{school_number}",
            STAFF_SIS_ID="S{users_dcid}",
            TERM_SIS_ID="{term_dcid}",
            LOGIN_IDS="student:{email},staff:{email}",
            SECTION_SIS_ID="{section_id}",
            STUDENT_SIS_ID="{student_dcid}",
        ),
        CHICAGO,
    )
    templates = (
        policy.section_sis_id,
        policy.student_sis_id,
        policy.staff_sis_id,
        policy.term_sis_id,
        policy.student_login_id,
        policy.staff_login_id,
    )
    assert [t.text for t in templates] == [
        "{section_id}",
        "{student_dcid}",
        "S{users_dcid}",
        "{term_dcid}",
        "{email}",
        "{email}",
    ]
    assert policy.course_sis_id.text == "{school_number}-{term_id}-{course_number}-T{teacher_number}"
    assert policy.account_sis_id is not None
    assert policy.account_sis_id.text == "A{school_number}"
    assert (policy.course_per, policy.publish_courses) == (CoursePer.TEACHER, True)
    assert (policy.dropped_status, policy.replaced_teacher_status, policy.pre_registered) == (
        DroppedStatus.INACTIVE,
        ReplacedStatus.INACTIVE,
        PreRegistered.WAIT,
    )
    assert policy.teacher_roles == {27: "ta", 28: "Grader"}
    assert (policy.schools, policy.courses) == (("100", "200"), ("-LUNCH*",))
    assert (policy.sections, policy.empty_sections) == (("-4711",), False)


def test_limits_and_rules_come_from_the_settings() -> None:
    """With the percentages by entity."""
    settings = loaded(PROVISION_SHRINK_PERCENT="users:7,leavers:9")
    percent = {Entity.COURSES: 10, Entity.SECTIONS: 10, Entity.USERS: 7, Entity.ENROLLMENTS: 10}

    assert limits(settings) == Limits(percent, leavers=9, rows=10)
    assert import_options(settings) == ImportOptions("completed", "suspended", change_threshold=10)
