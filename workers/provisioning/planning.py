"""Plans rosters by the settings, and finds the reasons to hold a plan."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, tzinfo

from shared.clock import Clock
from shared.config import Settings
from shared.domain.provisioning.hold_reasons import Limits
from shared.domain.provisioning.imports.corrections import NOTHING_KNOWN, CanvasUsers, with_new_ids
from shared.domain.provisioning.imports.sis_imports import ImportOptions
from shared.domain.provisioning.imports.uploads import CHANGE_THRESHOLD, USER_REMOVE_STATUS
from shared.domain.provisioning.live_rows import LiveHistory
from shared.domain.provisioning.plan import ImportPlan, plan_roster
from shared.domain.provisioning.policy import (
    DroppedStatus,
    PreRegistered,
    ProvisioningPolicy,
    ReplacedStatus,
    SisIdTemplate,
)
from shared.domain.provisioning.roster import Roster
from shared.domain.provisioning.rows.sis_rows import DataSet, Entity
from shared.domain.provisioning.safety import roster_facts, safety_findings

# The pattern of sections in PASSBACK_PROVISION_SELECTION that excludes those without any student.
NO_EMPTY_SECTIONS = "-empty"


class PlanBuilder:
    """Turns rosters into data sets by the settings.

    `zone` returns the district's time zone, which may be read from PowerSchool.
    """

    def __init__(self, settings: Settings, zone: Callable[[], tzinfo], clock: Clock) -> None:
        self._settings = settings
        self._zone = zone
        self._clock = clock

    def plan(
        self,
        roster: Roster,
        applied: Sequence[DataSet],
        history: LiveHistory | None = None,
        canvas: CanvasUsers = NOTHING_KNOWN,
    ) -> ImportPlan:
        """Return what Canvas should hold, compared with what it was given last, and a day and a week ago."""
        zone, today = self._zone(), self.today()
        plan = plan_roster(roster, provisioning_policy(self._settings, zone), today, applied, canvas)
        renumbered = {change.old: change.new for change in plan.id_changes}
        before = [with_new_ids(each, renumbered) for each in applied]
        facts, bounds = roster_facts(roster, today, zone), limits(self._settings)
        holds = safety_findings(before, plan.data_sets, facts, bounds, history, frozenset(renumbered.values()))
        return replace(plan, holds=holds)

    def today(self) -> date:
        """Return the district's calendar date."""
        return self._clock.now().astimezone(self._zone()).date()


def provisioning_policy(settings: Settings, zone: tzinfo) -> ProvisioningPolicy:
    """Return how rosters become rows. `zone` is the district's: as set, else PowerSchool's own.

    Raises `ConfigurationError` for a template of sections or students that cannot work.
    """
    account, logins = settings.provision_account_sis_id, settings.login_templates
    statuses, sections = settings.enrollment_statuses, settings.selection("section")
    return ProvisioningPolicy(
        zone=zone,
        section_sis_id=SisIdTemplate(settings.section_sis_id),
        course_sis_id=SisIdTemplate(settings.course_template),
        student_sis_id=SisIdTemplate(settings.student_sis_id),
        staff_sis_id=SisIdTemplate(settings.staff_sis_id),
        term_sis_id=SisIdTemplate(settings.term_sis_id),
        student_login_id=SisIdTemplate(logins["student"]),
        staff_login_id=SisIdTemplate(logins["staff"]),
        account_sis_id=SisIdTemplate(account) if account else None,
        course_per=settings.provision_course_per,
        publish_courses=settings.provision_publish_courses,
        dropped_status=DroppedStatus(statuses["dropped"]),
        pre_registered=PreRegistered(statuses["pre-registered"]),
        replaced_teacher_status=ReplacedStatus(statuses["replaced-teacher"]),
        teacher_roles=settings.teacher_roles,
        schools=settings.selection("school"),
        courses=settings.selection("course"),
        sections=tuple(pattern for pattern in sections if pattern != NO_EMPTY_SECTIONS),
        empty_sections=NO_EMPTY_SECTIONS not in sections,
    )


def limits(settings: Settings) -> Limits:
    """Return above which shrinkage a run is held."""
    percent = settings.shrink_percent
    counted = (Entity.COURSES, Entity.SECTIONS, Entity.USERS, Entity.ENROLLMENTS)
    return Limits({entity: percent[entity] for entity in counted}, percent["leavers"])


def import_options(settings: Settings) -> ImportOptions:
    """Return the options of an import that Canvas compares."""
    return ImportOptions(settings.enrollment_statuses["dropped"], USER_REMOVE_STATUS, CHANGE_THRESHOLD)
