"""Plans the SIS imports that make Canvas hold a plan: none for what it holds already."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from shared.domain.provisioning.imports.sis_imports import DataSetChange, ImportOptions, ImportProgress, UploadPart
from shared.domain.provisioning.imports.uploads import (
    AGAIN,
    CLASSES,
    MAX_THRESHOLD,
    LastApplied,
    Part,
    PlannedImport,
    group_index,
    group_of,
    is_remaster_due,
    plan_import,
)
from shared.domain.provisioning.live_rows import live_counts
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey
from shared.domain.provisioning.run import data_set_id_of, digest_of

NOTHING_APPLIED = LastApplied()


class UploadPlanner:
    """Plans imports. `prefix` begins every identifier in Canvas, `today` is the district's date.

    `options` are those of an import that Canvas compares; every `remaster_days` one is sent whole, 0 is never.
    """

    def __init__(self, options: ImportOptions, remaster_days: int, prefix: str, today: Callable[[], date]) -> None:
        self._options = options
        self._remaster_days = remaster_days
        self.prefix = prefix
        self.today = today

    def plan_uploads(
        self,
        plan: Sequence[DataSet],
        applied: Mapping[DataSetKey, LastApplied],
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
        for group, data_sets in sorted(self._grouped(plan, applied).items(), key=lambda item: group_index(item[0])):
            name = data_set_id_of(self.prefix, group)
            parts = self._parts(name, data_sets, applied, ended_terms)
            is_unsure = any(part.last.state is not None and part.last.known_digest is None for part in parts)
            is_due = is_unsure or (renew and self._is_due(group, parts))
            planned = plan_import(name, parts, self._options, live, has_base=_has_base(parts), is_due=is_due)
            found += [planned] if planned else []
        remastered = {part.key for each in found if each.upload.options.remaster for part in each.upload.parts}
        again = self._refused_again(plan, applied, remastered) if renew else None
        return (*found, again) if again else tuple(found)

    def _refused_again(
        self, plan: Iterable[DataSet], applied: Mapping[DataSetKey, LastApplied], remastered: Collection[DataSetKey]
    ) -> PlannedImport | None:
        """Return an import of the rows that Canvas refused on an earlier day, as they are planned now.

        An import that Canvas compares would not bring them: to it they are as they were. Not compared, it ends nothing.
        """
        parts, rows = [], {}
        for data_set in plan:
            last = applied.get(data_set.key, NOTHING_APPLIED)
            state, refused = last.state, last.refused
            if state is None or refused is None or last.known_digest is None or data_set.key in remastered:
                continue
            if state.at.date() >= self.today():
                continue
            entity = data_set.key.entity
            identities = {row.key(entity) for row in refused.rows}
            sent = DataSet(data_set.key, tuple(row for row in data_set.rows if row.key(entity) in identities))
            digest = digest_of(sent)
            rows[digest] = sent
            parts.append(UploadPart(data_set.key, digest, last.known_digest, len(sent.rows), state.live or {}))
        if not any(part.rows for part in parts):
            return None
        options = replace(self._options, remaster=True)
        name = data_set_id_of(self.prefix, AGAIN)
        return PlannedImport(ImportProgress(name, tuple(parts), options, offers_again=True), (), rows)

    def correction(self, data_set: DataSet, run_id: str) -> ImportProgress:
        """Return the upload of rows that come before all data sets, compared with nothing but themselves.

        Its identifier is of the run: what is sent twice changes nothing, and no other run's rows count as gone.
        """
        key, digest = data_set.key, digest_of(data_set)
        name = data_set_id_of(self.prefix, f"{key.entity}-{key.term_sis_id}-{run_id}")
        options = replace(self._options, change_threshold=MAX_THRESHOLD)
        return ImportProgress(name, (UploadPart(key, digest, digest, len(data_set.rows)),), options)

    def as_remaster(self, upload: ImportProgress, parts: Sequence[Part]) -> PlannedImport:
        """Return the upload as one that Canvas takes without comparing, with what is gone in it once more.

        `parts` are its data sets: what Canvas may hold, and what it should hold then.
        """
        live = {part.key: part.live for part in upload.parts}
        planned = plan_import(upload.data_set_id, parts, self._options, live, has_base=False, is_due=True)
        assert planned is not None
        return replace(planned, upload=replace(planned.upload, resting=upload.resting))

    def _grouped(self, plan: Iterable[DataSet], applied: Mapping[DataSetKey, LastApplied]) -> dict[str, list[DataSet]]:
        """Return the planned data sets by group. A term stays in the group in which Canvas has it."""
        plan = tuple(plan)
        schools: dict[str, set[int]] = {}
        for data_set in plan:
            schools.setdefault(data_set.key.term_sis_id, set()).update(row.school_number for row in data_set.rows)
        group_by_term: dict[str, str] = {}
        for key, last in applied.items():
            name = last.state.data_set_id if last.state else ""
            if key.term_sis_id and name.startswith(data_set_id_of(self.prefix, CLASSES)):
                group_by_term[key.term_sis_id] = CLASSES + name.rpartition(CLASSES)[2]
        groups: dict[str, list[DataSet]] = {}
        for data_set in plan:
            term = data_set.key.term_sis_id
            group = group_by_term.get(term) or group_of(data_set.key, schools[term])
            groups.setdefault(group, []).append(data_set)
        return groups

    def _parts(
        self,
        name: str,
        data_sets: Sequence[DataSet],
        applied: Mapping[DataSetKey, LastApplied],
        ended_terms: Collection[str],
    ) -> list[Part]:
        """Return the parts of a group's import: those that are planned, and those of its base that are not."""
        parts = [_part(name, each, applied.get(each.key, NOTHING_APPLIED)) for each in data_sets]
        changed = {p.after.key.term_sis_id for p in parts if p.last.state is None or not p.may_omit}
        found = []
        for part in parts:
            term = part.after.key.term_sis_id
            # The data sets of a term rest together, so that every kind of file of it is in the import, or none.
            rests = term in ended_terms and term not in changed
            if part.is_in_base or not rests:
                found.append(replace(part, may_omit=rests))
        planned = {each.key for each in data_sets}
        for key, last in applied.items():
            if key not in planned and last.state is not None and last.state.data_set_id == name:
                # Rows that have expired cannot be sent: the import becomes a remaster, which leaves them out.
                rows = last.candidates
                after = rows or DataSet(key, ())
                found.append(Part(rows, after, digest_of(after), last, may_omit=True, is_in_base=True))
        return sorted(found, key=lambda part: part.after.key.sort_key)

    def _is_due(self, group: str, parts: Iterable[Part]) -> bool:
        active = [part for part in parts if not part.may_omit]
        states = [part.last.state for part in active if part.last.state is not None]
        last = max((state.remastered_on for state in states if state.remastered_on is not None), default=None)
        unnamed = (part.last.state for part in active if part.last.refused is None)
        if last is not None and last < self.today() and any(state and state.has_errors for state in unnamed):
            # It is not known which rows Canvas refused.
            last = None
        return bool(active) and is_remaster_due(last, self.today(), self._remaster_days, group_index(group))


def _part(name: str, after: DataSet, last: LastApplied) -> Part:
    digest, known = digest_of(after), last.known_digest
    is_same = known == digest
    # Equal by its digest, whether or not the rows are still stored.
    before = after if is_same else last.rows if known is not None else last.candidates
    is_in_base = known is not None and last.state is not None and last.state.data_set_id == name
    return Part(before, after, digest, last, may_omit=is_same, is_in_base=is_in_base)


def _has_base(parts: Iterable[Part]) -> bool:
    """Say whether it is known what Canvas compares with: every active part is in the base, or new to Canvas."""
    parts = tuple(parts)
    in_base = [part for part in parts if part.is_in_base]
    active = (part for part in parts if not part.may_omit)
    is_complete = bool(in_base) and all(part.is_in_base or part.last.state is None for part in active)
    return is_complete and all(part.before is not None for part in in_base)


def correction_change(data_set: DataSet) -> DataSetChange:
    """Return what corrections change: each row is new."""
    return DataSetChange(data_set.key, None, digest_of(data_set), len(data_set.rows), 0, 0)
