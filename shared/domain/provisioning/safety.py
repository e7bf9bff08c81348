"""Decides when a plan is held for a person instead of being applied.

A complete roster and a partial one differ only by what is missing. So a plan is compared with what was applied last. A
row is live while it gives somebody something: an active user or enrollment, a course that is not concluded. The rows of
a term that has ended are no loss.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, tzinfo
from functools import cached_property

from shared.domain.provisioning.hold_reasons import Hold, HoldReason, Limits, RosterFacts, hold_for
from shared.domain.provisioning.live_rows import CLASSES, Identity, LiveHistory, LiveIndex, LiveRow, LiveRows, losses
from shared.domain.provisioning.roster import DISTRICT_SCHOOL_NUMBER, Roster
from shared.domain.provisioning.rows.retained_rows import cannot_be_placed
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity, LastImport, value
from shared.domain.provisioning.rows.terms import ended_terms, term_days

# Kinds that a district always has, and how a row of each is named.
RECORDS = {
    "schools": "SCHOOLS.DCID",
    "terms": "TERMS.DCID",
    "sections": "SECTIONS.DCID",
    "staff": "USERS.DCID",
    "students": "STUDENTS.DCID",
}


def roster_facts(roster: Roster, today: date, zone: tzinfo) -> RosterFacts:
    """Return what the safety rules need to know of a roster."""
    odd = {row.record for row in roster.odd_rows}
    empty = tuple(kind for kind, record in RECORDS.items() if not getattr(roster, kind) and record not in odd)
    odd_schools = (row.ids.get("school_number") for row in roster.odd_rows if row.record == RECORDS["schools"])
    schools = frozenset(
        {*(s.number for s in roster.schools), *(number for number in odd_schools if number is not None)}
    )
    unplaced = sum(map(cannot_be_placed, roster.odd_rows))
    return RosterFacts(schools, empty, today, zone, roster.unsettled, len(roster.odd_rows), unplaced)


def safety_findings(
    before: Collection[DataSet],
    after: Collection[DataSet],
    facts: RosterFacts,
    limits: Limits,
    history: LiveHistory | None = None,
    renumbered: Collection[str] = (),
) -> tuple[Hold, ...]:
    """Return every reason to hold the plan, none where it can be applied.

    `before` is what was applied last, by the SIS ids that people will have; `renumbered` are those of them that are
    new. A first run has nothing to lose, and is held only where nothing was read. `history` holds what was live after
    earlier runs: a day ago and a week ago.
    """
    comparison = _Comparison(before, after, facts, limits)
    return (
        *_nothing_read(before, facts),
        *_incomplete_reading(facts, limits),
        *comparison.missing_terms(),
        *comparison.moved_terms(),
        *comparison.missing_schools(),
        *comparison.shrunk_classes(),
        *(comparison.shrunk_slowly(history) if history else ()),
        *comparison.lost_users(),
        *comparison.changed_ids(renumbered),
        *comparison.changed_users(HoldReason.LOGINS_CHANGED, "login_id"),
        *comparison.changed_users(HoldReason.NAMES_CHANGED, "first_name", "last_name"),
    )


def _nothing_read(before: Collection[DataSet], facts: RosterFacts) -> list[Hold]:
    """Return a hold for kinds that are never empty. Sections may be, between two school years."""
    running = {s.key for s in before if s.key.entity is Entity.SECTIONS and s.rows}
    over = ended_terms(before, facts.today, facts.zone)
    empty = [k for k in facts.empty if k != "sections" or any(key.term_sis_id not in over for key in running)]
    return [hold_for(HoldReason.NOTHING_READ, detail=", ".join(empty))] if empty else []


def _incomplete_reading(facts: RosterFacts, limits: Limits) -> Iterator[Hold]:
    """Return holds for a reading that may lack rows, whatever the plan that was made of it."""
    if facts.unsettled:
        yield hold_for(HoldReason.ROSTER_UNSETTLED, detail=", ".join(facts.unsettled))
    if facts.odd_rows > limits.odd_rows or facts.unplaced_rows:
        without_ids = f", {facts.unplaced_rows} without their section or student" if facts.unplaced_rows else ""
        yield hold_for(HoldReason.ODD_ROWS, detail=f"{facts.odd_rows} rows{without_ids}")


class _Comparison:
    """The applied rows that are live, and which of them the plan would end."""

    def __init__(
        self, before: Collection[DataSet], after: Collection[DataSet], facts: RosterFacts, limits: Limits
    ) -> None:
        self._facts, self._limits = facts, limits
        self._ended = ended_terms(before, facts.today, facts.zone)
        self._planned = {data_set.key for data_set in after}
        self._before = LiveRows(before)
        self._now = LiveIndex(after)
        days_before, days_after = term_days(before, facts.zone), term_days(after, facts.zone)
        self._term_days = {t: (days_before[t], days_after[t]) for t in days_before.keys() & days_after.keys()}
        self._term_schools = {
            value(Entity.TERMS, row, "term_id"): row.school_number
            for row in LastImport(before).rows(DataSetKey(Entity.TERMS))
        }

    def missing_terms(self) -> Iterator[Hold]:
        """Terms that are not over and that the plan does not name, by school."""
        missing: dict[str, list[LiveRow]] = {}
        for c in self._before:
            if not self._is_planned(c) and c.term not in self._ended:
                missing.setdefault(c.term, []).append(c)
        for term, counted in sorted(missing.items()):
            for school, rows in _by_school(counted).items():
                yield hold_for(HoldReason.TERM_MISSING, None, school, len(rows), len(rows), f"term {term}")

    def moved_terms(self) -> Iterator[Hold]:
        """Terms with classes that the plan would stop, or move by weeks: for each school that has rows in them.

        A term that several schools share holds each of them, and the rows of no school in particular with the term
        itself: who is in a class today depends on the term's days.
        """
        for term, (before, after) in sorted(self._term_days.items()):
            reason = self._term_reason(before, after)
            if reason is None:
                continue
            counted = [c for c in self._before.of(*CLASSES) if c.term == term]
            if not counted:
                continue
            schools = _by_school(counted)
            detail = f"term {term}, {before[0]} to {before[1]} becomes {after[0]} to {after[1]}"
            for school in sorted({*schools, self._term_schools[term]}):
                count = len(schools.get(school, ()))
                yield hold_for(reason, None, school, count, count, detail)

    def _term_reason(self, before: tuple[date, date], after: tuple[date, date]) -> HoldReason | None:
        today = self._facts.today
        if before[0] <= today <= before[1] and not after[0] <= today <= after[1]:
            return HoldReason.TERM_STOPS
        moved = max(abs((new - old).days) for old, new in zip(before, after, strict=True))
        return HoldReason.TERM_MOVED if moved > self._limits.term_days else None

    def missing_schools(self) -> Iterator[Hold]:
        """Schools that had classes under way, and that were not read or have no class left."""
        there = (self._now.schools & self._facts.schools) | {DISTRICT_SCHOOL_NUMBER}
        running = (c for c in self._before.of(*CLASSES) if c.term not in self._ended)
        for school, rows in _by_school(c for c in running if c.row.school_number not in there).items():
            yield hold_for(HoldReason.SCHOOL_MISSING, None, school, len(rows), len(rows))

    def shrunk_classes(self) -> Iterator[Hold]:
        """Schools that would lose too many courses, sections or enrollments."""
        for entity in CLASSES:
            total = (c for c in self._before.of(entity) if self._is_planned(c))
            lost = (c for c in self._lost if c.entity is entity and self._is_planned(c))
            yield from self._exceeding(HoldReason.SHRUNK, entity, lost, total, self._limits.percent[entity])

    def shrunk_slowly(self, history: LiveHistory) -> Iterator[Hold]:
        """Schools of which so much has ended within a day, or a week, that one run would be held for it.

        What ended is counted by what is left: a school that gained as much as it lost shrank by nothing.
        """
        for (entity, school), window, total, remaining in losses(history, self._now.counts, self._ended):
            percent = self._limits.percent[entity]
            terms = {c.term for c in self._before if c.row.school_number == school}
            if entity is Entity.USERS and not terms.isdisjoint(self._ended):
                percent = max(percent, self._limits.leavers)
            in_this_run = [c for c in self._lost if (c.entity, c.row.school_number) == (entity, school)]
            earlier = total - remaining - len(in_this_run)
            # What this run alone would end is reported as `shrunk`.
            if earlier > 0 and in_this_run and self._limits.are_exceeded(total - remaining, total, percent):
                detail = f"more than {percent} % in {window}"
                yield hold_for(HoldReason.SHRUNK_SLOWLY, entity, school, total - remaining, total, detail)

    def lost_users(self) -> Iterator[Hold]:
        """Schools that would lose too many users, apart for those whose classes are all over."""
        total = list(self._before.of(Entity.USERS))
        lost = [c for c in self._lost if c.entity is Entity.USERS]
        without_classes = self._users_without_classes()
        leavers = (c for c in lost if c.identity in without_classes)
        others = (c for c in lost if c.identity not in without_classes)
        yield from self._exceeding(HoldReason.SHRUNK, Entity.USERS, others, total, self._limits.percent[Entity.USERS])
        yield from self._exceeding(HoldReason.MANY_LEAVERS, Entity.USERS, leavers, total, self._limits.leavers)

    def changed_ids(self, renumbered: Collection[str]) -> Iterator[Hold]:
        """Schools of which too many records would get new SIS ids, those of renumbered people among them."""
        for entity in (Entity.SECTIONS, Entity.USERS):
            now = self._now.identities[entity]
            total = [c for c in self._before.of(entity) if self._is_planned(c)]
            people = renumbered if entity is Entity.USERS else ()
            changed = (c for c in total if now.get(c.row.source, c.identity) != c.identity or c.identity[0] in people)
            yield from self._exceeding(HoldReason.SIS_IDS_CHANGED, entity, changed, total, self._limits.percent[entity])

    def changed_users(self, reason: HoldReason, *columns: str) -> Iterator[Hold]:
        """Schools of which too many users would change in these columns."""
        total = list(self._before.of(Entity.USERS))
        changed = (
            c
            for c in total
            if (now := self._now.users.get(c.identity)) is not None
            and any(value(Entity.USERS, c.row, name) != value(Entity.USERS, now, name) for name in columns)
        )
        yield from self._exceeding(reason, Entity.USERS, changed, total, self._limits.percent[Entity.USERS])

    def _exceeding(
        self, reason: HoldReason, entity: Entity, affected: Iterable[LiveRow], total: Iterable[LiveRow], percent: int
    ) -> Iterator[Hold]:
        totals = Counter(c.row.school_number for c in total)
        for school, rows in _by_school(affected).items():
            if self._limits.are_exceeded(len(rows), totals[school], percent):
                yield hold_for(reason, entity, school, len(rows), totals[school], f"more than {percent} %")

    def _is_planned(self, counted: LiveRow) -> bool:
        return DataSetKey(counted.entity, counted.term) in self._planned

    @cached_property
    def _lost(self) -> list[LiveRow]:
        """The rows that are not live in the plan. A student who moved to another section lost nothing."""
        return [c for c in self._before if not self._now.has(c)]

    def _users_without_classes(self) -> set[Identity]:
        """Return the users whose classes are all over, and who had some."""
        users: dict[bool, set[Identity]] = {True: set(), False: set()}
        for c in self._before.of(Entity.ENROLLMENTS):
            users[c.term in self._ended].add((value(Entity.ENROLLMENTS, c.row, "user_id"),))
        return users[True] - users[False]


def _by_school(counted: Iterable[LiveRow]) -> Mapping[int, list[LiveRow]]:
    groups: dict[int, list[LiveRow]] = {}
    for c in counted:
        groups.setdefault(c.row.school_number, []).append(c)
    return dict(sorted(groups.items()))
