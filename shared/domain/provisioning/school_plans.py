"""A plan for some schools alone: the rows of the others stay as Canvas was given them last.

A row counts for the school that it has now, or had if it is gone. The rows of no school in particular (a teacher of two
schools, a term that schools share) count for school 0, which is doubtful or not like any other.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from shared.domain.provisioning.rows.sis_rows import (
    USERS,
    DataSet,
    DataSetKey,
    Entity,
    SisRow,
    in_order,
    login_of,
    value,
)

Rows = dict[tuple[str, ...], SisRow]
# What a row refers to: the entity, and the column that names it.
REFERENCES: Mapping[Entity, tuple[tuple[Entity, str], ...]] = {
    Entity.COURSES: ((Entity.TERMS, "term_id"),),
    Entity.SECTIONS: ((Entity.COURSES, "course_id"),),
    Entity.ENROLLMENTS: ((Entity.SECTIONS, "section_id"), (Entity.USERS, "user_id")),
}


def plan_without(
    before: Iterable[DataSet], after: Iterable[DataSet], is_held: Callable[[int], bool]
) -> tuple[DataSet, ...]:
    """Return `after` with the rows of every school that `is_held` as they are in `before`.

    What then could not be applied stays as well:
    - a row that refers to one that is not there yet,
    - a login that somebody who stays still has,
    - the user of an enrollment that stays.
    """
    merge = _Merge({s.key: s for s in before}, tuple(after), is_held)
    return merge.result()


class _Merge:
    def __init__(
        self, before: Mapping[DataSetKey, DataSet], after: Collection[DataSet], is_held: Callable[[int], bool]
    ) -> None:
        self._old: dict[DataSetKey, Rows] = {key: _rows(s) for key, s in before.items()}
        self._new: dict[DataSetKey, Rows] = {s.key: _rows(s) for s in after}
        self._is_held = is_held
        self._merged: dict[DataSetKey, Rows] = {}
        self._planned_ids = {entity: self._ids(self._new, entity) for entity in Entity}

    def result(self) -> tuple[DataSet, ...]:
        ordered = sorted(self._new, key=lambda key: key.sort_key)
        for key in ordered:
            self._merged[key] = self._of_schools(key)
            if key.entity is Entity.USERS:
                self._retain_conflicting_logins(key)
        for key in ordered:
            self._retain_dangling_rows(key)
        self._retain_users_of_classes()
        # A new term of a retained school is left out with it.
        return tuple(
            DataSet(key, in_order(self._merged[key].values()))
            for key in ordered
            if self._merged[key] or key in self._old or not self._new[key]
        )

    def _of_schools(self, key: DataSetKey) -> Rows:
        old, new = self._old.get(key, {}), self._new[key]
        rows: Rows = {}
        for identity in old.keys() | new.keys():
            was, now = old.get(identity), new.get(identity)
            owner = now if now is not None else was
            selected = was if owner is not None and self._is_held(owner.school_number) else now
            if selected is not None:
                rows[identity] = selected
        return rows

    def _retain_conflicting_logins(self, key: DataSetKey) -> None:
        """Retain a person's row where a retained row still has the new login."""
        old, new, rows = self._old.get(key, {}), self._new[key], self._merged[key]
        held = {login_of(row) for identity, row in rows.items() if row is not new.get(identity)}
        for identity, row in list(rows.items()):
            is_changed = row is new.get(identity) and (identity not in old or login_of(old[identity]) != login_of(row))
            if is_changed and login_of(row) in held:
                _restore(rows, identity, old)

    def _retain_dangling_rows(self, key: DataSetKey) -> None:
        """Retain a row whose planned row refers to one that is not in this part of the plan."""
        references = [
            (column, self._planned_ids[entity] - self._ids(self._merged, entity))
            for entity, column in REFERENCES.get(key.entity, ())
        ]
        if not any(missing for _, missing in references):
            return
        rows, old = self._merged[key], self._old.get(key, {})
        for identity, row in list(rows.items()):
            if any(value(key.entity, row, column) in missing for column, missing in references):
                _restore(rows, identity, old)

    def _retain_users_of_classes(self) -> None:
        """Retain the users that retained enrollments name, and leave those of active enrollments active."""
        users, had = self._merged.get(USERS), self._old.get(USERS, {})
        if users is None:
            return
        for key, rows in self._merged.items():
            if key.entity is not Entity.ENROLLMENTS:
                continue
            for row in rows.values():
                at = (value(Entity.ENROLLMENTS, row, "user_id"),)
                if not self._is_held(row.school_number) or at not in had:
                    continue
                is_live = value(Entity.ENROLLMENTS, row, "status") == "active"
                ends = is_live and _is_active(had[at]) and not _is_active(users.get(at))
                if at not in users or ends:
                    users[at] = had[at]

    @staticmethod
    def _ids(sets: Mapping[DataSetKey, Rows], entity: Entity) -> set[str]:
        """Return the SIS ids of an entity's rows; enrollments have none that anything refers to."""
        return {identity[0] for key, rows in sets.items() if key.entity is entity for identity in rows}


def _rows(data_set: DataSet) -> Rows:
    return {row.key(data_set.key.entity): row for row in data_set.rows}


def _restore(rows: Rows, identity: tuple[str, ...], old: Rows) -> None:
    if identity in old:
        rows[identity] = old[identity]
    else:
        del rows[identity]


def _is_active(row: SisRow | None) -> bool:
    return row is not None and value(Entity.USERS, row, "status") == "active"
