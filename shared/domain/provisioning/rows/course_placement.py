"""Which Canvas course a section belongs to. A section that has a course keeps one: no change makes an empty shell."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.domain.provisioning.imports.last_import import LastImport, tidy
from shared.domain.provisioning.policy import CoursePer, ProvisioningPolicy
from shared.domain.provisioning.problems import RosterProblem, RosterProblemCode
from shared.domain.provisioning.roster import ClassSection, Roster
from shared.domain.provisioning.rows.terms import CanvasTerm, TermsByKey
from shared.domain.provisioning.rows.users import UserDirectory, staff_source

# What a shared course is for: school number, TERMS.ID, course number and the teacher's USERS.DCID.
CourseGroupKey = tuple[int, int, str, int]


@dataclass(frozen=True, slots=True)
class PlacedSection:
    """A section that goes to Canvas, and the SIS id of the course that it is in."""

    section: ClassSection
    term: CanvasTerm
    sis_id: str
    course_number: str
    course_sis_id: str

    @property
    def source(self) -> str:
        """How the section's record is named to a person."""
        return section_source(self.section.dcid)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A section that could go to Canvas, before it has a course. `lead` is the lead teacher's USERS.DCID."""

    section: ClassSection
    term: CanvasTerm
    sis_id: str
    course_number: str
    lead: int | None
    current_course: str | None


def section_source(dcid: int) -> str:
    """Return how a section's record is named to a person."""
    return f"SECTIONS.DCID {dcid}"


def assign_courses(
    roster: Roster, terms: TermsByKey, people: UserDirectory, policy: ProvisioningPolicy, applied: LastImport
) -> tuple[tuple[PlacedSection, ...], tuple[RosterProblem, ...]]:
    """Return the sections with their courses, sorted by DCID, and what kept the others out."""
    candidates, problems = _candidates(roster, terms, people, policy, applied)
    shells = _Shells(roster, policy)
    courses, more = (
        shells.per_section(candidates) if policy.course_per is CoursePer.SECTION else shells.shared(candidates)
    )
    placed = (
        PlacedSection(c.section, c.term, c.sis_id, c.course_number, courses[c.section.dcid])
        for c in candidates
        if c.section.dcid in courses
    )
    return tuple(sorted(placed, key=lambda p: p.section.dcid)), (*problems, *more)


def _candidates(
    roster: Roster, terms: TermsByKey, people: UserDirectory, policy: ProvisioningPolicy, applied: LastImport
) -> tuple[list[Candidate], list[RosterProblem]]:
    candidates: list[Candidate] = []
    problems: list[RosterProblem] = []
    taken: set[str] = set()
    # Of a section that was read twice the first reading counts, as of every other record.
    sections = {section.dcid: section for section in reversed(roster.sections)}.values()
    ids = {s.dcid: policy.section_sis_id.render(_section_fields(s)) for s in sections}
    # Of two sections with one SIS id, the one that has it in Canvas keeps it.
    has_it = {dcid: applied.section_source(sis_id) == section_source(dcid) for dcid, sis_id in ids.items()}
    for section in sorted(sections, key=lambda s: (not has_it[s.dcid], s.dcid)):
        sis_id, term = ids[section.dcid], terms.get((section.school_number, section.term_id))
        problem = _problem(section, term, sis_id, taken, policy)
        if problem is not None or term is None:
            problems += [problem] if problem else []
            continue
        taken.add(sis_id)
        lead = next((t.users_dcid for t in section.teachers if t.is_lead and _is_active(t.users_dcid, people)), None)
        current = applied.course_of(term.sis_id, sis_id)
        candidates.append(Candidate(section, term, sis_id, tidy(section.course_number), lead, current))
    return candidates, problems


def _problem(
    section: ClassSection, term: CanvasTerm | None, sis_id: str, taken: set[str], policy: ProvisioningPolicy
) -> RosterProblem | None:
    source = section_source(section.dcid)
    if term is None:
        detail = f"school {section.school_number}, TERMS.ID {section.term_id}"
        return RosterProblem(RosterProblemCode.SECTION_WITHOUT_TERM, source, detail)
    if not tidy(section.course_number):
        return RosterProblem(RosterProblemCode.SECTION_WITHOUT_COURSE, source)
    if missing := policy.section_sis_id.missing(_section_fields(section)):
        return RosterProblem(RosterProblemCode.SECTION_ID_INCOMPLETE, source, ", ".join(sorted(missing)))
    return RosterProblem(RosterProblemCode.SECTION_ID_TAKEN, source, f"SIS id {sis_id}") if sis_id in taken else None


class _Shells:
    """Gives sections their courses."""

    def __init__(self, roster: Roster, policy: ProvisioningPolicy) -> None:
        self._teacher_numbers = {s.users_dcid: tidy(s.teacher_number) for s in reversed(roster.staff)}
        self._template = policy.course_sis_id

    def per_section(self, candidates: Sequence[Candidate]) -> tuple[dict[int, str], list[RosterProblem]]:
        """Return a course of its own for each section, by SECTIONS.DCID. Who teaches it plays no part."""
        owners: dict[str, int] = {}
        problems = []
        for c in candidates:
            course = self._template.render(self._fields(c, None))
            if owners.setdefault(course, c.section.dcid) != c.section.dcid:
                problems.append(_course_taken(c, course))
            elif c.lead is None:
                problems.append(_problem_of(RosterProblemCode.SECTION_WITHOUT_TEACHER, c))
        return {dcid: course for course, dcid in owners.items()}, problems

    def shared(self, candidates: Sequence[Candidate]) -> tuple[dict[int, str], list[RosterProblem]]:
        """Return the course of each section where those of a teacher, course and term share one.

        A group of sections goes to the course that is named for it if one of them is there already, or if none of
        them is anywhere; else to the one in which most of them are. So a new teacher takes over the course with
        its work, a section moves only to a course that its teacher has, and nobody gets an empty one. A section
        without a lead teacher stays where it is.
        """
        courses, problems = _unled(candidates)
        owners: dict[str, CourseGroupKey] = {}
        for purpose, group in _groups(candidates):
            fields = self._fields(group[0], purpose[3])
            own = self._template.render(fields)
            there = Counter(c.current_course for c in group if c.current_course is not None)
            course = own if own in there or not there else min(there, key=lambda id_: (-there[id_], id_))
            if course == own and self._template.missing(fields):
                missing = ", ".join(sorted(self._template.missing(fields)))
                problems += [_problem_of(RosterProblemCode.COURSE_ID_INCOMPLETE, c, missing) for c in group]
            elif course == own and owners.setdefault(own, purpose) != purpose:
                problems += [_course_taken(c, own) for c in group]
            else:
                courses |= {c.section.dcid: course for c in group}
        return courses, problems

    def _fields(self, candidate: Candidate, lead: int | None) -> Mapping[str, str]:
        teacher = {"teacher_number": self._teacher_numbers.get(lead, ""), "users_dcid": str(lead)} if lead else {}
        return {**_section_fields(candidate.section), **teacher}


def _groups(candidates: Iterable[Candidate]) -> list[tuple[CourseGroupKey, list[Candidate]]]:
    groups: dict[CourseGroupKey, list[Candidate]] = {}
    for c in candidates:
        if c.lead is not None:
            purpose = (c.section.school_number, c.section.term_id, c.course_number, c.lead)
            groups.setdefault(purpose, []).append(c)
    return sorted(groups.items(), key=lambda item: item[0])


def _unled(candidates: Iterable[Candidate]) -> tuple[dict[int, str], list[RosterProblem]]:
    """Return where the sections without a lead teacher stay, and what to say of each of them."""
    period = {}
    problems = []
    for c in candidates:
        if c.lead is None and c.current_course is not None:
            period[c.section.dcid] = c.current_course
            problems.append(_problem_of(RosterProblemCode.SECTION_WITHOUT_TEACHER, c))
        elif c.lead is None:
            problems.append(_problem_of(RosterProblemCode.SECTION_WAITS_FOR_TEACHER, c))
    return period, problems


def _is_active(users_dcid: int, people: UserDirectory) -> bool:
    return staff_source(users_dcid) in people.active


def _course_taken(candidate: Candidate, course: str) -> RosterProblem:
    return _problem_of(RosterProblemCode.COURSE_ID_TAKEN, candidate, f"SIS id {course}")


def _problem_of(problem: RosterProblemCode, candidate: Candidate, detail: str = "") -> RosterProblem:
    return RosterProblem(problem, section_source(candidate.section.dcid), detail)


def _section_fields(section: ClassSection) -> Mapping[str, str]:
    return {
        "section_dcid": str(section.dcid),
        "section_id": str(section.id),
        "school_number": str(section.school_number),
        "term_id": str(section.term_id),
        "course_number": tidy(section.course_number),
        "section_number": tidy(section.section_number),
    }
