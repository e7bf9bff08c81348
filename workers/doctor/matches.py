"""Checks of what belongs together: sections, students and categories of the sample, in both systems."""

from collections.abc import Iterator
from functools import partial

from shared.adapters.powerschool.provisioning.rows import SCHOOLS
from shared.adapters.powerschool.rosters.reader import INDEX, SECTIONS, STUDENTS
from shared.domain.passback.canvas import AssignmentGroup
from shared.domain.passback.rules.categories import CategoryMatch, match_category
from shared.domain.wording import counted
from workers.doctor import canvas, powerschool
from workers.doctor.result import CheckFailed, CheckResult, Step
from workers.doctor.systems import Systems

IDS = "ids: sections"
MAX_TEACHERS = 5
NO_GROUP = AssignmentGroup("", "")
SECTIONS_FIX = (
    "Compare a section's SIS id in Canvas with PASSBACK_SECTION_SIS_ID. If all are foreign, PASSBACK_POWERSCHOOL_URL "
    "may lead to another district's or a test server."
)
STUDENTS_FIX = (
    "Compare a student's SIS id in Canvas with PASSBACK_STUDENT_SIS_ID; {student_number:0>6} pads with zeros."
)
CATEGORY_FIX = (
    "Correct PASSBACK_DEFAULT_CATEGORY, or give every teacher an active category of this name (a district category)."
)
NOTHING = "no course to compare yet"


def steps(systems: Systems) -> Iterator[Step]:
    """Yield the comparisons. They read PowerSchool, not the cache."""
    queries = tuple(powerschool.check_name(listed.query) for listed in (SCHOOLS, INDEX, SECTIONS, STUDENTS))
    needs = (canvas.FIELDS, powerschool.TOKEN, *queries)
    yield Step(IDS, partial(_sections, systems), SECTIONS_FIX, needs)
    yield Step("ids: students", partial(_students, systems), STUDENTS_FIX, (IDS,))
    yield Step("categories", partial(_categories, systems), CATEGORY_FIX, (IDS, powerschool.GRANTS_CHECK))


def _sections(systems: Systems) -> str:
    """Find the sample's sections in PowerSchool by their SIS ids."""
    wanted = systems.section_sis_ids()
    if not wanted:
        raise CheckFailed(CheckResult.SKIP, NOTHING)
    systems.sections = systems.powerschool.roster.sections(wanted, refresh=True)
    return _share(len(systems.sections), len(wanted), "sections", wanted[0])


def _students(systems: Systems) -> str:
    """Find the students of the sample's sections by their SIS ids, in the sections that PowerSchool has."""
    wanted, known = set[str](), set[str]()
    for course in systems.courses:
        sections = [systems.sections.get(section.sis_section_id or "") for section in course.sections]
        if all(sections):
            wanted |= systems.students.get(course.id, set())
            known |= {sis_id for section in sections if section for sis_id in section.students}
    if not wanted:
        raise CheckFailed(CheckResult.SKIP, NOTHING)
    return _share(len(wanted & known), len(wanted), "students", min(wanted), min(known, default=""))


def _share(found: int, wanted: int, what: str, theirs: str, example: str = "") -> str:
    """Return how many were found. Raises: CheckFailed where fewer than half were."""
    text = f"{found} of {wanted} {what} found in PowerSchool"
    if found * 2 >= wanted:
        return text
    made = f", the template makes such as {example}" if example else ""
    verdict = CheckResult.WARN if found else CheckResult.FAIL
    raise CheckFailed(verdict, f"{text}: Canvas has ids such as {theirs}{made}")


def _categories(systems: Systems) -> str:
    """Read the categories of some lead teachers, and find the default one among them."""
    default = systems.settings.default_category
    by_teacher = {
        section.teacher_users_dcid: section
        for section in systems.sections.values()
        if section.teacher_users_dcid is not None
    }
    lacking, asked = [], list(by_teacher.items())[:MAX_TEACHERS]
    for users_dcid, section in asked:
        categories = systems.powerschool.gradebook.categories(users_dcid, section.term.year_id, refresh=True)
        match = match_category(NO_GROUP, section.dcid, categories, {}, default)
        if not isinstance(match, CategoryMatch):
            lacking.append(str(users_dcid))
    if not asked:
        raise CheckFailed(CheckResult.SKIP, "no section of the sample has a lead teacher")
    if not default:
        return f"those of {counted(len(asked), 'teacher')} can be read; no default is set"
    if lacking:
        found = f"{len(lacking)} of {counted(len(asked), 'teacher')} without a usable category {default} (USERS.DCID "
        verdict = CheckResult.FAIL if len(lacking) == len(asked) else CheckResult.WARN
        raise CheckFailed(verdict, f"{found}{', '.join(lacking)})")
    return f"the default category is among those of {counted(len(asked), 'teacher')}"
