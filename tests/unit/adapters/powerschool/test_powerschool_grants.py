"""What `doctor` probes is what the plugin requests."""

from pathlib import Path
from xml.etree import ElementTree as ET

from shared.domain.plugin import GRANTS

PLUGIN = Path(__file__).parents[4] / "deploy" / "powerschool-plugin" / "plugin.xml"


def test_every_probed_column_is_requested() -> None:
    """A column that `doctor` misses can be granted: it is in plugin.xml's access_request."""
    requested = {
        (field.get("table", "").lower(), field.get("field", "").lower())
        for field in ET.parse(PLUGIN).getroot().iter("{http://plugin.powerschool.pearson.com}field")
    }
    assert {(table, column) for table, columns in GRANTS.items() for column in columns} <= requested
