"""What passback reads of provisioning: when rosters changed, and SIS ids of students that no template makes."""

from typing import cast

import redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.values import text
from shared.domain.provisioning.rows.users import student_dcid_of


def stored_student_ids(client: redis.Redis, keys: Keys) -> dict[int, str]:
    """Return the SIS ids by STUDENTS.DCID; empty where nobody was renumbered lately."""
    kept = cast("dict[bytes, bytes]", client.hgetall(keys.student_sis_ids))
    ids = ((student_dcid_of(text(source)), text(sis_id)) for source, sis_id in kept.items())
    return {dcid: sis_id for dcid, sis_id in ids if dcid is not None}


def last_roster_change(client: redis.Redis, keys: Keys) -> str:
    """Return a name of the latest change of rosters that PowerSchool confirmed, empty if there was none."""
    changed = client.get(keys.rosters_changed)
    return "" if changed is None else f"@{text(changed)}"
