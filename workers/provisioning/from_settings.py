"""What a district decided about provisioning: from settings to the values of the domain."""

from datetime import tzinfo

from shared.adapters.powerschool.rosters.sis_ids import section_template, student_template
from shared.config import Settings
from shared.domain.provisioning.hold_reasons import Limits
from shared.domain.provisioning.imports.uploads import CHANGE_THRESHOLD, UploadRules
from shared.domain.provisioning.policy import ProvisioningPolicy
from shared.domain.provisioning.rows.sis_ids import SisIdTemplate
from shared.domain.provisioning.rows.sis_rows import Entity


def provisioning_policy(settings: Settings, zone: tzinfo) -> ProvisioningPolicy:
    """Return how rosters become rows. `zone` is the district's: as set, else PowerSchool's own.

    Raises `ConfigurationError` for a template of sections or students that cannot work.
    """
    account = settings.provision_account_sis_id
    return ProvisioningPolicy(
        zone=zone,
        section_sis_id=section_template(settings.section_sis_id),
        course_sis_id=SisIdTemplate(settings.course_template),
        student_sis_id=student_template(settings.student_sis_id),
        staff_sis_id=SisIdTemplate(settings.staff_sis_id),
        term_sis_id=SisIdTemplate(settings.term_sis_id),
        student_login_id=SisIdTemplate(settings.student_login_id),
        staff_login_id=SisIdTemplate(settings.staff_login_id),
        account_sis_id=SisIdTemplate(account) if account else None,
        course_per=settings.provision_course_per,
        publish_courses=settings.provision_publish_courses,
        dropped_status=settings.provision_dropped_status,
        pre_registered=settings.provision_pre_registered,
        replaced_teacher_status=settings.provision_replaced_teacher_status,
        teacher_roles=settings.teacher_roles,
        schools=settings.provision_schools,
        courses=settings.provision_courses,
        sections=settings.provision_sections,
        empty_sections=settings.provision_empty_sections,
        preferred_names=settings.provision_preferred_names,
    )


def limits(settings: Settings) -> Limits:
    """Return above which shrinkage a run is held."""
    percent = settings.shrink_percent
    counted = (Entity.COURSES, Entity.SECTIONS, Entity.USERS, Entity.ENROLLMENTS)
    return Limits(
        {entity: percent[entity] for entity in counted},
        percent["leavers"],
    )


def upload_rules(settings: Settings) -> UploadRules:
    """Return how imports are made."""
    return UploadRules(settings.provision_dropped_status, CHANGE_THRESHOLD, settings.provision_remaster_days)
