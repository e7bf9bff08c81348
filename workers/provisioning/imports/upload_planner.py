"""The SIS imports that make Canvas hold a plan: none for what it holds already."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from shared.domain.provisioning.imports.import_groups import AGAIN, CLASSES, group_index, group_of, is_remaster_due
from shared.domain.provisioning.imports.sis_id_changes import with_new_ids
from shared.domain.provisioning.imports.uploads import (
    MAX_THRESHOLD,
    USER_REMOVE_STATUS,
    NeededImport,
    Part,
    SentPart,
    UploadRules,
    import_needed,
)
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, ImportOptions
from shared.domain.provisioning.run import (
    DataSetChange,
    DataSetState,
    ImportProgress,
    UploadPart,
    data_set_id_of,
    digest_of,
)
from shared.domain.provisioning.safety import live_counts

Live = Mapping[DataSetKey, Mapping[int, int]]


@dataclass(frozen=True, slots=True)
class LastApplied:
    """What Canvas was given last of a data set, and what an unfinished import tried to give it since.

    `refused` are those of the rows that Canvas had something to say about, as far as it said which.
    """

    mark: DataSetState | None = None
    rows: DataSet | None = None
    attempted: DataSet | None = None
    refused: DataSet | None = None

    @property
    def possible(self) -> DataSet | None:
        """Every row that Canvas may hold."""
        if self.rows is None or self.attempted is None:
            return self.rows or self.attempted
        entity = self.rows.key.entity
        rows = {row.key(entity): row for data_set in (self.rows, self.attempted) for row in data_set.rows}
        return DataSet(self.rows.key, tuple(sorted(rows.values())))

    def with_new_ids(self, ids: Mapping[str, str]) -> "LastApplied":
        """Return what Canvas holds once these SIS ids have changed."""
        rows, attempted = (each and with_new_ids(each, ids) for each in (self.rows, self.attempted))
        if self.mark is None or rows is None or rows == self.rows:
            return LastApplied(self.mark, rows, attempted)
        return LastApplied(replace(self.mark, digest=digest_of(rows)), rows, attempted)

    @property
    def is_certain(self) -> bool:
        """Say whether it is known what Canvas holds."""
        return self.mark is not None and self.mark.digest is not None and self.mark.attempted is None


@dataclass(frozen=True, slots=True)
class PlannedImport:
    """An import to make, what changes with it, and the rows that stand behind digests. Sent rows are in it too."""

    upload: ImportProgress
    changes: tuple[DataSetChange, ...]
    rows: Mapping[str, DataSet]


@dataclass(frozen=True, slots=True)
class _Member:
    """A data set of a group: what it should be, and what is known of it. `is_over`: its term is."""

    part: Part
    held: LastApplied
    digest: str
    is_in_base: bool

    @property
    def is_unsure(self) -> bool:
        return self.held.mark is not None and not self.held.is_certain


class UploadPlanner:
    """Decides by the rules. `prefix` begins every identifier in Canvas, `today` is the district's date."""

    def __init__(self, rules: UploadRules, prefix: str, today: Callable[[], date]) -> None:
        self._rules = rules
        self._prefix = prefix
        self.today = today

    def prepared(
        self,
        plan: Sequence[DataSet],
        held: Mapping[DataSetKey, LastApplied],
        ended_terms: Collection[str],
        *,
        renew: bool,
    ) -> tuple[PlannedImport, ...]:
        """Return the imports that make Canvas hold the plan, in its order: terms and users first.

        With `renew`, imports are sent whole whose day it is, or of which Canvas refused some rows. Data sets that the
        plan does not name are left alone: an import that Canvas compares holds them as they were, a remaster does not
        hold them.
        """
        live = live_counts(plan)
        found = []
        for group, data_sets in sorted(self._grouped(plan, held).items(), key=lambda item: group_index(item[0])):
            needed = self._prepared(group, data_sets, held, ended_terms, live, renew=renew)
            if needed is not None:
                found.append(needed)
        whole = {part.key for each in found if each.upload.options.remaster for part in each.upload.parts}
        again = self._again(plan, {key: each for key, each in held.items() if key not in whole}) if renew else None
        return (*found, again) if again else tuple(found)

    def _again(self, plan: Iterable[DataSet], held: Mapping[DataSetKey, LastApplied]) -> PlannedImport | None:
        """Return an import of the rows that Canvas refused on an earlier day, as they are planned now.

        An import that Canvas compares would not bring them: to it they are as they were. Not compared, it ends nothing.
        """
        parts, rows = [], {}
        for data_set in plan:
            each = held.get(data_set.key, LastApplied())
            mark, refused = each.mark, each.refused
            if mark is None or refused is None or not each.is_certain or mark.at.date() >= self.today():
                continue
            entity = data_set.key.entity
            identities = {row.key(entity) for row in refused.rows}
            sent = DataSet(data_set.key, tuple(row for row in data_set.rows if row.key(entity) in identities))
            digest = digest_of(sent)
            rows[digest] = sent
            live = mark.live or {}
            parts.append(UploadPart(data_set.key, digest, mark.digest or "", len(sent.rows), live))
        if not any(part.rows for part in parts):
            return None
        options = replace(self._options(), remaster=True)
        name = data_set_id_of(self._prefix, AGAIN)
        return PlannedImport(ImportProgress(name, tuple(parts), options, offers_again=True), (), rows)

    def _options(self) -> ImportOptions:
        rules = self._rules
        return ImportOptions(rules.dropped_status.value, USER_REMOVE_STATUS, rules.change_threshold)

    def correction(self, data_set: DataSet, run_id: str) -> ImportProgress:
        """Return the upload of rows that come before all data sets, compared with nothing but themselves.

        Its identifier is of the run: what is sent twice changes nothing, and no other run's rows count as gone.
        """
        key, digest = data_set.key, digest_of(data_set)
        name = data_set_id_of(self._prefix, f"{key.entity}-{key.term_sis_id}-{run_id}")
        options = ImportOptions(self._rules.dropped_status.value, USER_REMOVE_STATUS, MAX_THRESHOLD)
        return ImportProgress(name, (UploadPart(key, digest, digest, len(data_set.rows)),), options)

    def as_new_base(
        self, upload: ImportProgress, parts: Sequence[Part]
    ) -> tuple[ImportProgress, Mapping[str, DataSet]]:
        """Return the upload as one that Canvas takes without comparing, with what is gone in it once more.

        `parts` are its data sets: what Canvas may hold, and what it should hold then.
        """
        needed = import_needed(parts, self._rules, has_base=False, is_due=True)
        assert needed is not None
        live = {part.key: part.live for part in upload.parts}
        resting = (*upload.resting, *needed.resting)
        return self._upload(upload.data_set_id, needed, live, resting), {
            digest_of(sent.data_set): sent.data_set for sent in needed.parts
        }

    def _grouped(self, plan: Iterable[DataSet], held: Mapping[DataSetKey, LastApplied]) -> dict[str, list[DataSet]]:
        """Return the planned data sets by group. A term stays in the group in which Canvas has it."""
        plan = tuple(plan)
        schools: dict[str, set[int]] = {}
        for data_set in plan:
            schools.setdefault(data_set.key.term_sis_id, set()).update(row.school_number for row in data_set.rows)
        there: dict[str, str] = {}
        for key, each in held.items():
            name = each.mark.data_set_id if each.mark else ""
            if key.term_sis_id and name.startswith(data_set_id_of(self._prefix, CLASSES)):
                there[key.term_sis_id] = CLASSES + name.rpartition(CLASSES)[2]
        groups: dict[str, list[DataSet]] = {}
        for data_set in plan:
            term = data_set.key.term_sis_id
            group = there.get(term) or group_of(data_set.key, schools[term])
            groups.setdefault(group, []).append(data_set)
        return groups

    def _prepared(
        self,
        group: str,
        data_sets: Sequence[DataSet],
        held: Mapping[DataSetKey, LastApplied],
        ended_terms: Collection[str],
        live: Live,
        *,
        renew: bool,
    ) -> PlannedImport | None:
        name = data_set_id_of(self._prefix, group)
        members = self._members(name, data_sets, held, ended_terms)
        in_base = [member for member in members if member.is_in_base]
        has_base = bool(in_base) and all(
            member.is_in_base or member.held.mark is None for member in members if not member.part.may_rest
        )
        has_base = has_base and all(member.part.before is not None for member in in_base)
        is_due = (renew and self._is_due(group, members)) or any(member.is_unsure for member in members)
        needed = import_needed([m.part for m in members], self._rules, has_base=has_base, is_due=is_due)
        if needed is None:
            return None
        resting = [m.part.after.key for m in in_base if m.part.after.key in needed.resting]
        upload = self._upload(name, needed, live, resting)
        return self._with_rows(upload, needed, {m.part.after.key: m for m in members})

    def _members(
        self,
        name: str,
        data_sets: Sequence[DataSet],
        held: Mapping[DataSetKey, LastApplied],
        ended_terms: Collection[str],
    ) -> list[_Member]:
        planned = {data_set.key: data_set for data_set in data_sets}
        members = [self._member(name, data_set, held.get(data_set.key, LastApplied())) for data_set in data_sets]
        changed = {m.part.after.key.term_sis_id for m in members if m.held.mark is None or not m.part.may_rest}
        found = []
        for m in members:
            term = m.part.after.key.term_sis_id
            # The data sets of a term rest together, so that every kind of file of it is in the import, or none.
            rests = term in ended_terms and term not in changed
            if m.is_in_base or not rests:
                found.append(_Member(Part(m.part.before, m.part.after, rests), m.held, m.digest, m.is_in_base))
        for key, each in held.items():
            if key not in planned and each.mark is not None and each.mark.data_set_id == name:
                found.append(self._left_alone(key, each))
        return sorted(found, key=lambda member: member.part.after.key.place)

    def _member(self, name: str, after: DataSet, held: LastApplied) -> _Member:
        digest, mark = digest_of(after), held.mark
        is_certain = held.is_certain and mark is not None
        is_same = is_certain and mark is not None and mark.digest == digest
        # Equal by its digest, whether or not the rows are still kept.
        before = after if is_same else held.rows if is_certain else held.possible
        is_in_base = is_certain and mark is not None and mark.data_set_id == name
        return _Member(Part(before, after, may_rest=is_same), held, digest, is_in_base)

    def _left_alone(self, key: DataSetKey, held: LastApplied) -> _Member:
        """Return a data set that is in Canvas's base and that the plan does not name: it stays as it is."""
        rows = held.possible
        digest = held.mark.digest if held.mark and held.mark.digest else ""
        # Rows that are not kept any more cannot be sent: the import becomes a remaster, which leaves them out.
        part = Part(rows, rows or DataSet(key, ()), may_rest=True)
        return _Member(part, held, digest, is_in_base=True)

    def _is_due(self, group: str, members: Iterable[_Member]) -> bool:
        active = [m for m in members if not m.part.may_rest]
        marks = [m.held.mark for m in active if m.held.mark is not None]
        last = max((mark.remastered_on for mark in marks if mark.remastered_on is not None), default=None)
        refused = (m.held.mark for m in active if m.held.refused is None)
        if last is not None and last < self.today() and any(mark and mark.has_errors for mark in refused):
            # It is not known which rows Canvas refused.
            last = None
        return bool(active) and is_remaster_due(last, self.today(), self._rules.remaster_days, group_index(group))

    def _upload(self, name: str, needed: NeededImport, live: Live, resting: Iterable[DataSetKey]) -> ImportProgress:
        return ImportProgress(name, tuple(_part(sent, live) for sent in needed.parts), needed.options, tuple(resting))

    def _with_rows(
        self, upload: ImportProgress, needed: NeededImport, members: Mapping[DataSetKey, _Member]
    ) -> PlannedImport:
        changes: list[DataSetChange] = []
        rows: dict[str, DataSet] = {}
        for sent, part in zip(needed.parts, upload.parts, strict=True):
            member = members[part.key]
            if sent.difference or member.held.rows is None or part.digest != part.holds:
                rows |= {part.holds: sent.part.after, part.digest: sent.data_set}
            if d := sent.difference:
                before = member.held.mark.digest if member.held.mark else None
                counts = (len(d.added), len(d.changed), len(d.removed))
                changes.append(DataSetChange(part.key, before, part.holds, *counts))
        return PlannedImport(upload, tuple(changes), rows)


def correction_change(data_set: DataSet) -> DataSetChange:
    """Return what corrections change, for a person to look at: each row is new."""
    return DataSetChange(data_set.key, None, digest_of(data_set), len(data_set.rows), 0, 0)


def _part(sent: SentPart, live: Live) -> UploadPart:
    key = sent.part.after.key
    holds, digest = digest_of(sent.part.after), digest_of(sent.data_set)
    return UploadPart(key, digest, holds, len(sent.data_set.rows), live.get(key, {}))
