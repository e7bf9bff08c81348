"""Terms: which Canvas term is a PowerSchool term's, when it begins and ends, and which are over."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo

from shared.domain.provisioning.policy import ProvisioningPolicy
from shared.domain.provisioning.problems import RosterProblem, RosterProblemCode
from shared.domain.provisioning.roster import SchoolTerm
from shared.domain.provisioning.rows.sis_rows import (
    MAX_TEXT_CHARS,
    DataSet,
    DataSetKey,
    Entity,
    LastImport,
    SisRow,
    normalize_whitespace,
    value,
)

LAST_SECOND = time(23, 59, 59)


@dataclass(frozen=True, slots=True)
class CanvasTerm:
    """A term of Canvas: one of PowerSchool's, or several schools' where the template gives them one SIS id."""

    sis_id: str
    name: str
    first_day: date
    last_day: date
    school_number: int
    source: str

    def overlaps(self, other: "CanvasTerm") -> bool:
        """Say whether both have a day in common."""
        return self.first_day <= other.last_day and other.first_day <= self.last_day


TermsByKey = Mapping[tuple[int, int], CanvasTerm]


def canvas_terms(
    terms: Iterable[SchoolTerm], policy: ProvisioningPolicy
) -> tuple[TermsByKey, tuple[RosterProblem, ...]]:
    """Return the Canvas term of each school number and TERMS.ID, and the problems of the others."""
    problems = []
    groups: dict[str, list[SchoolTerm]] = {}
    for term in sorted(terms, key=lambda t: (t.school_number, t.id, t.dcid)):
        if term.last_day < term.first_day:
            problems.append(RosterProblem(RosterProblemCode.TERM_DATES_REVERSED, _source(term)))
        else:
            groups.setdefault(policy.term_id_of(term.school_number, term.id, term.dcid), []).append(term)
    merged = {sis_id: _merged(sis_id, group) for sis_id, group in groups.items()}
    by_key = {(t.school_number, t.id): merged[sis_id] for sis_id, group in groups.items() for t in group}
    return by_key, tuple(problems)


def term_row(term: CanvasTerm, zone: tzinfo) -> SisRow:
    """Return the term's row of terms.csv.

    Canvas takes timestamps, in UTC unless zoned; it does not say whether the end belongs to the term. A term that ends
    in the last second of its last day is over at midnight either way. Source: Canvas "SIS Import Format", terms.csv.
    """
    dates = (_timestamp(term.first_day, time.min, zone), _timestamp(term.last_day, LAST_SECOND, zone))
    return SisRow((term.sis_id, term.name, "active", *dates), term.school_number, term.source)


def ends_before(end_date: str, today: date, zone: tzinfo) -> bool:
    """Say whether a term with this `end_date` of terms.csv was over before `today` began."""
    return term_day(end_date, zone) < today


def term_day(timestamp: str, zone: tzinfo) -> date:
    """Return the calendar day of a `start_date` or `end_date` of terms.csv."""
    return datetime.fromisoformat(timestamp).astimezone(zone).date()


def _timestamp(day: date, at: time, zone: tzinfo) -> str:
    return datetime.combine(day, at, zone).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _merged(sis_id: str, group: list[SchoolTerm]) -> CanvasTerm:
    first = group[0]
    name = normalize_whitespace(first.name) or normalize_whitespace(first.abbreviation) or sis_id
    schools = {term.school_number for term in group}
    return CanvasTerm(
        sis_id,
        name[:MAX_TEXT_CHARS],
        min(term.first_day for term in group),
        max(term.last_day for term in group),
        first.school_number if len(schools) == 1 else 0,
        _source(first),
    )


def _source(term: SchoolTerm) -> str:
    return f"TERMS.DCID {term.dcid}"


def ended_terms(data_sets: Iterable[DataSet], today: date, zone: tzinfo) -> frozenset[str]:
    """Return the SIS ids of the terms that were over before `today`."""
    rows = LastImport(data_sets).rows(DataSetKey(Entity.TERMS))
    ends = {value(Entity.TERMS, row, "term_id"): value(Entity.TERMS, row, "end_date") for row in rows}
    return frozenset(term for term, end_date in ends.items() if ends_before(end_date, today, zone))


def term_days(data_sets: Iterable[DataSet], zone: tzinfo) -> dict[str, tuple[date, date]]:
    """Return the first and the last day of each term, both of which belong to it."""
    return {
        value(Entity.TERMS, row, "term_id"): (
            term_day(value(Entity.TERMS, row, "start_date"), zone),
            term_day(value(Entity.TERMS, row, "end_date"), zone),
        )
        for row in LastImport(data_sets).rows(DataSetKey(Entity.TERMS))
    }
