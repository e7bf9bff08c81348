"""Which data sets share an SIS import, and when each import is due to be sent whole.

Canvas compares an upload with the last one of its identifier, kind of file by kind of file. So an import may hold
courses, sections and enrollments of many schools, as long as every upload under its identifier holds all of them:
what an upload leaves out of a file counts as gone. All classes of a school share an import, so that a section that
moves to another term finds its course in the same upload.

Source: canvas-lms app/models/sis_batch.rb (`generate_diff`), lib/sis/csv/diff_generator.rb.
"""

from collections.abc import Collection
from datetime import date, timedelta
from typing import Final
from zlib import crc32

from shared.domain.provisioning.rows.sis_rows import DataSetKey, Entity

CLASS_GROUPS: Final = 3
"""Into how many imports the district's classes are divided.

With that of terms and users, and that of rows that Canvas refused, a run makes five at the most.
"""
DISTRICT: Final = "district"
CLASSES: Final = "classes-"
AGAIN: Final = "again"
ENTITIES: Final = {DISTRICT: (Entity.TERMS, Entity.USERS)}
CLASS_ENTITIES: Final = (Entity.COURSES, Entity.SECTIONS, Entity.ENROLLMENTS)


def group_of(key: DataSetKey, schools: Collection[int]) -> str:
    """Return the group of a data set. `schools` are the numbers of the schools that have rows of its term.

    A term of one school goes with that school; one that several schools share goes by its own SIS id.
    """
    if not key.term_sis_id:
        return DISTRICT
    name = str(*schools) if len(schools) == 1 else key.term_sis_id
    return f"{CLASSES}{crc32(name.encode()) % CLASS_GROUPS + 1}"


def entities_of(group: str) -> tuple[Entity, ...]:
    """Return the kinds of file that every upload of the group holds, empty ones too."""
    return ENTITIES.get(group, CLASS_ENTITIES)


def group_index(group: str) -> int:
    """Return the group's number: the district's 0, then the classes'."""
    return int(group.removeprefix(CLASSES)) if group.startswith(CLASSES) else 0


def is_remaster_due(last: date | None, today: date, days: int, group_number: int) -> bool:
    """Say whether an import is to be sent whole today: every `days` days, each group on a day of its own; 0: never.

    `last` is the day on which it was sent whole last. A day that was missed is made up for once `days` are over.
    """
    if days <= 0 or last is None:
        return days > 0
    since = today - last
    return since >= timedelta(days=days) or (since > timedelta(0) and (today.toordinal() - group_number) % days == 0)
