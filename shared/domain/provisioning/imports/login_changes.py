"""Logins that go from one person to another: whoever has one gives it up before the other asks for it.

Canvas refuses a row whose login belongs to somebody else, and takes the rows of a file in parallel parts, in no order
that can be relied on: so logins are freed by an import of their own. Source: canvas-lms lib/sis/user_importer.rb.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from shared.domain.provisioning.imports.last_import import value, with_value
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity, SisRow, in_order

FREED_LOGINS = DataSetKey(Entity.USERS, "freed-logins")
DIGEST_CHARS = 32


@dataclass(frozen=True, slots=True)
class LoginHolder:
    """Who has a login in Canvas: `row` is how they were applied last, None of one who is in no file any more."""

    user_id: str
    row: SisRow | None = None

    @property
    def source(self) -> str:
        """The record, as it is named to a person."""
        return self.row.source if self.row and self.row.source else f"SIS id {self.user_id}"


def login_of(row: SisRow) -> str:
    """Return a row's login as Canvas compares it."""
    return value(Entity.USERS, row, "login_id").casefold()


def user_id_of(row: SisRow) -> str:
    """Return the SIS id of a row of users.csv."""
    return value(Entity.USERS, row, "user_id")


def login_digest(login: str) -> str:
    """Return what stands for the login of somebody who left, of whom nothing else is kept."""
    return hashlib.sha256(login.casefold().encode()).hexdigest()[:DIGEST_CHARS]


def parting_login(user_id: str) -> str:
    """Return the login of somebody whose own is another's now: no address, and nobody else's."""
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
    """Return the rows that free the logins of others, None where nobody waits for any.

    A holder gets the login that is planned for them if nobody has it yet, else one that says nothing: two who exchange
    logins both do, until the next file. Whoever is in no file is suspended by it, which they are already. `refused`
    are SIS ids of which Canvas did not take such a row.
    """
    by_login = {login_of(row): row for row in applied}
    planned_by_id = {user_id_of(row): row for row in planned}
    applied_ids = {user_id_of(row) for row in by_login.values()}
    freed: dict[str, SisRow] = {}
    for row in planned:
        holder = login_holder(login_of(row), by_login, former)
        if holder is None or holder.user_id == user_id_of(row) or holder.user_id in refused:
            continue
        own = planned_by_id.get(holder.user_id)
        if own is not None and login_of(own) == login_of(row):
            # Whoever is to keep the login gives up nothing.
            continue
        if holder.row is None and holder.user_id in (applied_ids | planned_by_id.keys()):
            # Somebody who came back: what they were called before they left says nothing any more.
            continue
        freed[holder.user_id] = _freed(holder, own, by_login, former)
    return DataSet(FREED_LOGINS, in_order(freed.values())) if freed else None


def _freed(
    holder: LoginHolder, planned: SisRow | None, applied: Mapping[str, SisRow], former: Mapping[str, str]
) -> SisRow:
    if planned is None:
        # Without a name in it, the row leaves Canvas's as it is.
        values = (holder.user_id, parting_login(holder.user_id), "", "", "", "", "suspended")
        return SisRow(values, holder.row.school_number if holder.row else 0, holder.source)
    other = login_holder(login_of(planned), applied, former)
    is_free = other is None or other.user_id == holder.user_id
    return planned if is_free else with_value(Entity.USERS, planned, "login_id", parting_login(holder.user_id))


def with_freed_logins(users: DataSet, freed: Iterable[SisRow]) -> DataSet:
    """Return the users as Canvas holds them once these rows were taken. May be repeated."""
    rows = {user_id_of(row): row for row in freed}
    return DataSet(users.key, in_order(_with_login(row, rows.get(user_id_of(row))) for row in users.rows))


def _with_login(row: SisRow, freed: SisRow | None) -> SisRow:
    if freed is None:
        return row
    for column in ("login_id", "status"):
        row = with_value(Entity.USERS, row, column, value(Entity.USERS, freed, column))
    return row
