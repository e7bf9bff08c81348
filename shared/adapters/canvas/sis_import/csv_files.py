"""Imports as Canvas takes them: CSV files in a zip, the same bytes for the same rows.

Source: Canvas "SIS Import Format" and "SIS Imports API": UTF-8, a header row, and a zip whose content is less than 100
times its size.
"""

import csv
import io
import zipfile
from collections.abc import Iterable
from typing import Final

from shared.domain.provisioning.imports.sis_imports import SisFiles
from shared.domain.provisioning.rows.sis_rows import HEADERS, Entity, SisRow

MEDIA_TYPE: Final = "application/zip"
# Half of what Canvas accepts: very repetitive rows are packed uncompressed instead.
MAX_RATIO: Final = 50
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_PRIVATE_FILE: Final = 0o600 << 16


def zipped(files: SisFiles) -> bytes:
    """Return the zip, which holds a file per kind of row, named like the entity."""
    contents = [(f"{entity}.csv", _csv(entity, rows)) for entity, rows in files]
    packed = _packed(contents, zipfile.ZIP_DEFLATED)
    if sum(len(content) for _, content in contents) < MAX_RATIO * len(packed):
        return packed
    return _packed(contents, zipfile.ZIP_STORED)


def _csv(entity: Entity, rows: Iterable[SisRow]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADERS[entity])
    writer.writerows(row.values for row in rows)
    return text.getvalue().encode()


def _packed(contents: Iterable[tuple[str, bytes]], method: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in contents:
            member = zipfile.ZipInfo(name, date_time=_EARLIEST)
            member.create_system, member.external_attr, member.compress_type = _UNIX, _PRIVATE_FILE, method
            archive.writestr(member, content)
    return packed.getvalue()
