"""PowerSchool's data version: what changed since a version, in one request.

Source: PowerSchool "Data Version" (9.3): `GET /ws/dataversion/{application}/{version}` answers
`{"$dataversion": "16323283", "tables": {"users": [851]}}`, ids only. How an application subscribes to tables is not
public. So every other answer means that this PowerSchool does not tell, and "nothing changed" is a hint: a PowerSchool
that watches fewer tables than it should would say it as well. What is scheduled reads the rosters whatever this says.
"""

from pydantic import ConfigDict, Field, TypeAdapter

from shared.adapters.powerschool.read_only import ReadOnlyPowerSchool
from shared.adapters.powerschool.wire import Text, Wire, listed
from shared.errors import RequestRejected, UnexpectedResponse
from shared.ports.provisioning import DataVersion

APPLICATION = "passback"
FIRST_VERSION = "0"
ROSTER_TABLES = frozenset(
    {
        "schools",
        "terms",
        "courses",
        "sections",
        "sectionteacher",
        "schoolstaff",
        "users",
        "students",
        "person",
        "personemailaddressassoc",
        "emailaddress",
        "cc",
    }
)


class DataVersionWire(Wire):
    """The documented answer."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    version: Text = Field(validation_alias="$dataversion", min_length=1)
    tables: dict[str, object]


_WIRE = TypeAdapter(DataVersionWire)


def changes_since(api: ReadOnlyPowerSchool, version: str | None) -> DataVersion | None:
    """Return the newest version, and whether a roster table changed since `version`; None if it does not tell."""
    ids = {"application": APPLICATION, "version": version or FIRST_VERSION}
    try:
        found = api.get("/ws/dataversion/{application}/{version}", ids).parse(_WIRE)
    except (RequestRejected, UnexpectedResponse) as error:
        # Wrong credentials are no answer about versions.
        if isinstance(error, RequestRejected) and error.status == 401:
            raise
        return None
    changed = {table.lower() for table, rows in found.tables.items() if _has_rows(rows)}
    return DataVersion(found.version, has_changed=version is None or not changed.isdisjoint(ROSTER_TABLES))


def _has_rows(rows: object) -> bool:
    return bool(listed(rows))  # type: ignore[arg-type]  # whatever it is
