"""Data sets as Canvas takes them: one CSV file in a zip, the same bytes for the same rows.

Source: Canvas "SIS Import Format" and "SIS Imports API": UTF-8, a header row, and a zip whose content is less than 100
times its size.
"""

import csv
import io
import zipfile
from typing import Final

from shared.domain.sis_import import HEADERS, DataSet

MEDIA_TYPE: Final = "application/zip"
# Half of what Canvas accepts: very repetitive rows are packed uncompressed instead.
LARGEST_RATIO: Final = 50
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_PRIVATE_FILE: Final = 0o600 << 16


def zipped(data_set: DataSet) -> bytes:
    """Return the zip, which holds a file named like the entity."""
    entity = data_set.key.entity
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADERS[entity])
    writer.writerows(row.values for row in data_set.rows)
    content = text.getvalue().encode()
    packed = _packed(f"{entity}.csv", content, zipfile.ZIP_DEFLATED)
    if len(content) < LARGEST_RATIO * len(packed):
        return packed
    return _packed(f"{entity}.csv", content, zipfile.ZIP_STORED)


def _packed(name: str, content: bytes, method: int) -> bytes:
    member = zipfile.ZipInfo(name, date_time=_EARLIEST)
    member.create_system, member.external_attr, member.compress_type = _UNIX, _PRIVATE_FILE, method
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(member, content)
    return packed.getvalue()
