"""The SIS ids of students that Canvas has and the template does not make, as provisioning keeps them."""

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
