"""How long an assignment's name is, as Canvas counts it for its own limit on names that go to the SIS."""

import re
from html import unescape
from html.entities import html5

# The limit of Canvas's own passback dialog.
DEFAULT_MAX_NAME_CHARS = 30

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|\w{1,32});")


def name_length(name: str) -> int:
    """Return the number of characters, with an HTML entity as the one character that it stands for.

    A name is plain text: `&amp;` is shown as typed, and sent so. Canvas's check alone unescapes it. What does not end
    with a semicolon is no entity: `html.unescape` reads one into `&notes`.

    Source: Canvas Gradebook, "Sync to SIS": the unescaped name is compared with the limit.
    """
    return len(_ENTITY.sub(_character, name))


def _character(entity: re.Match[str]) -> str:
    text = entity[0]
    return unescape(text) if text[1] == "#" or text[1:] in html5 else text
