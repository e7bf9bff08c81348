"""How much of a Canvas description PowerSchool can hold."""

import re

MAX_BYTES = 4000
# A tag or an entity that the cut left open.
_OPEN_END = re.compile(r"(?:<[^<>]*|&[#\w]{0,31})\Z")


def fitted(html: str) -> str:
    """Return the description as PowerSchool stores it: 4,000 bytes at most, never cut inside a tag or an entity.

    The column holds 4,000; whether bytes or characters is not documented, and bytes are the safe reading. Compare
    a wanted description with an actual one only after fitting it. Elements cut open are closed by the reader.
    Source: PowerSchool gradebook schema, ASSIGNMENTSECTION.DESCRIPTION.
    """
    raw = html.encode()
    if len(raw) <= MAX_BYTES:
        return html
    return _OPEN_END.sub("", raw[:MAX_BYTES].decode(errors="ignore"))
