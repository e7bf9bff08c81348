"""What Canvas must change before it takes the files of a plan: SIS ids first, then logins.

PowerSchool's DCIDs never change; numbers do, by corrections and merges. Canvas refuses a row whose login belongs to
somebody else, and takes the rows of a file in parallel parts, in no order that can be relied on: so SIS ids are changed
and logins are freed by imports of their own. Source: Canvas "SIS Import Format", change_sis_id.csv; canvas-lms
lib/sis/change_sis_id_importer.rb, lib/sis/user_importer.rb.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.domain.provisioning.rows.sis_rows import (
    HEADERS,
    USERS,
    DataSet,
    DataSetKey,
    Entity,
    SisRow,
    in_order,
    login_of,
    replace_value,
    user_id_of,
    value,
)

FREED_LOGINS = DataSetKey(Entity.USERS, "freed-logins")


DIGEST_CHARS = 32


USER = "user"


INTERIM_PREFIX = "renumbering-"
"""Begins the SIS id that a person has between two imports, while another still has the new one."""


_ID_COLUMNS = {Entity.USERS: "user_id", Entity.ENROLLMENTS: "user_id"}


@dataclass(frozen=True, slots=True)
class CanvasUsers:
    """What is known of Canvas's users beside the rows that were applied.

    `refused_ids` are the SIS ids that Canvas did not give, by PowerSchool record, `waiting` the records whose SIS ids
    are not to change yet; `refused_logins` the SIS ids of those who would not give up their logins. `former_logins` are
    SIS ids of users who are in no file any more, by the digest of their login.
    """

    refused_ids: Mapping[str, str] = field(default_factory=dict)
    refused_logins: frozenset[str] = frozenset()
    former_logins: Mapping[str, str] = field(default_factory=dict)
    waiting: frozenset[str] = frozenset()


NOTHING_KNOWN = CanvasUsers()


@dataclass(frozen=True, slots=True, order=True)
class SisIdChange:
    """A person's SIS id, as Canvas has it and as it shall be. `source` is the PowerSchool record."""

    source: str
    old: str
    new: str
    school_number: int = 0


def corrections_before(
    planned: Iterable[DataSet], applied: Iterable[DataSet], id_changes: Sequence[SisIdChange], canvas: CanvasUsers
) -> tuple[DataSet, ...]:
    """Return the rows that Canvas must take before the planned ones, in imports of their own and in this order.

    While SIS ids change, no login is freed: rows name people by the ids. After each of both, rosters are planned again.
    `applied` is what Canvas was given last.
    """
    if id_changes:
        return change_imports(id_changes)
    freed = logins_to_free(_users(planned), _users(applied), canvas.former_logins, canvas.refused_logins)
    return (freed,) if freed else ()


def _users(data_sets: Iterable[DataSet]) -> list[SisRow]:
    return [row for data_set in data_sets if data_set.key == USERS for row in data_set.rows]


def change_imports(changes: Iterable[SisIdChange]) -> tuple[DataSet, ...]:
    """Return change_sis_id.csv: once, or twice where ids go from one of these persons to another.

    Canvas takes rows one by one, in parallel parts, and refuses a new id that somebody still has. So a person who gets
    another's id gets an interim one first. Either import may be repeated until the next has begun: its old ids do not
    exist any more then.
    """
    changes = sorted(changes)
    held = {change.old for change in changes}
    first = [(c, c.old, f"{INTERIM_PREFIX}{c.old}" if c.new in held else c.new) for c in changes]
    second = [(c, between, c.new) for c, _, between in first if between != c.new]
    return tuple(_import(str(number), rows) for number, rows in enumerate((first, second), 1) if rows)


def _import(number: str, rows: Iterable[tuple[SisIdChange, str, str]]) -> DataSet:
    found = (SisRow((old, new, USER), change.school_number, change.source) for change, old, new in rows)
    return DataSet(DataSetKey(Entity.SIS_ID_CHANGES, number), in_order(found))


def original_id(sis_id: str) -> str:
    """Return the id that the person had before the first of two imports, where the second did not follow."""
    return sis_id.removeprefix(INTERIM_PREFIX)


def new_ids(changed: DataSet) -> dict[str, str]:
    """Return new SIS ids by old ones, of the rows of change_sis_id.csv."""
    entity = Entity.SIS_ID_CHANGES
    return {value(entity, row, "old_id"): value(entity, row, "new_id") for row in changed.rows}


def with_new_ids(data_set: DataSet, ids: Mapping[str, str]) -> DataSet:
    """Return the data set as Canvas holds it once these ids have changed. May be repeated."""
    entity = data_set.key.entity
    column = _ID_COLUMNS.get(entity)
    if column is None:
        return data_set
    at = HEADERS[entity].index(column)
    if not any(row.values[at] in ids for row in data_set.rows):
        return data_set
    return DataSet(
        data_set.key,
        in_order(
            replace_value(entity, row, column, ids[row.values[at]]) if row.values[at] in ids else row
            for row in data_set.rows
        ),
    )


@dataclass(frozen=True, slots=True)
class LoginHolder:
    """Who has a login in Canvas: `row` is how they were applied last, None of one who is in no file any more."""

    user_id: str
    row: SisRow | None = None

    @property
    def source(self) -> str:
        """The record, as it is named to a person."""
        return self.row.source if self.row and self.row.source else f"SIS id {self.user_id}"


def login_digest(login: str) -> str:
    """Return the digest of a login: of users who left, nothing else but the SIS id is stored."""
    return hashlib.sha256(login.casefold().encode()).hexdigest()[:DIGEST_CHARS]


def placeholder_login(user_id: str) -> str:
    """Return a unique login for a user whose own was given to another."""
    return f"former-login-{user_id}"


def login_holder(login: str, applied: Mapping[str, SisRow], former: Mapping[str, str]) -> LoginHolder | None:
    """Return who has the login in Canvas. `applied` are the users' rows by login, `former` SIS ids by login digest."""
    row = applied.get(login)
    if row is not None:
        return LoginHolder(user_id_of(row), row)
    user_id = former.get(login_digest(login))
    return None if user_id is None else LoginHolder(user_id)


def logins_to_free(
    planned: Collection[SisRow], applied: Iterable[SisRow], former: Mapping[str, str], refused: Collection[str]
) -> DataSet | None:
    """Return the rows that free the logins of others, None where none has to be freed.

    A holder gets the login that is planned for them if nobody has it yet, else a placeholder: two who exchange logins
    both get one until the next file. A holder who is in no file is suspended already, and stays so. `refused` are SIS
    ids of which Canvas did not take such a row.
    """
    by_login = {login_of(row): row for row in applied}
    planned_by_id = {user_id_of(row): row for row in planned}
    applied_ids = {user_id_of(row) for row in by_login.values()}
    freed: dict[str, SisRow] = {}
    for row in planned:
        holder = login_holder(login_of(row), by_login, former)
        if holder is None or holder.user_id == user_id_of(row) or holder.user_id in refused:
            continue
        planned_row = planned_by_id.get(holder.user_id)
        if planned_row is not None and login_of(planned_row) == login_of(row):
            # The holder is planned to have the login.
            continue
        if holder.row is None and holder.user_id in (applied_ids | planned_by_id.keys()):
            # The holder came back: the former login is out of date.
            continue
        freed[holder.user_id] = _freed(holder, planned_row, by_login, former)
    return DataSet(FREED_LOGINS, in_order(freed.values())) if freed else None


def _freed(
    holder: LoginHolder, planned: SisRow | None, applied: Mapping[str, SisRow], former: Mapping[str, str]
) -> SisRow:
    if planned is None:
        # Without a name in it, the row leaves Canvas's as it is.
        values = (holder.user_id, placeholder_login(holder.user_id), "", "", "", "", "suspended")
        return SisRow(values, holder.row.school_number if holder.row else 0, holder.source)
    other = login_holder(login_of(planned), applied, former)
    is_free = other is None or other.user_id == holder.user_id
    return planned if is_free else replace_value(Entity.USERS, planned, "login_id", placeholder_login(holder.user_id))


def with_freed_logins(users: DataSet, freed: Iterable[SisRow]) -> DataSet:
    """Return the users as Canvas holds them once these rows were taken. May be repeated."""
    rows = {user_id_of(row): row for row in freed}
    return DataSet(users.key, in_order(_with_login(row, rows.get(user_id_of(row))) for row in users.rows))


def _with_login(row: SisRow, freed: SisRow | None) -> SisRow:
    if freed is None:
        return row
    for column in ("login_id", "status"):
        row = replace_value(Entity.USERS, row, column, value(Entity.USERS, freed, column))
    return row
