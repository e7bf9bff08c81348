"""What a remote system said, without what it must not carry: names, titles, scores, addresses.

A foreign text may have any length and form. It is cut first; whatever reads it afterwards takes time in proportion.
"""

import re
from collections.abc import Iterator

from shared.adapters.http.decimal_json import Json
from shared.adapters.http.error_vocabulary import is_known

LONGEST = 200
# So much of an error body is read: no refusal that is known says its meaning later.
MAX_ERROR_TEXT_CHARS = 2_000
_MAX_VALUES = 1_000
_MAX_DEPTH = 12
HIDDEN = "…"
_TELLING = ("message", "errorMessage", "error", "error_description", "errors", "code", "field", "resource", "title")
_QUOTED = re.compile(r"(?<!\w)'[^']*'|\"[^\"]*\"|\u201c[^\u201c\u201d]*\u201d|\u2018[^\u2018\u2019]*\u2019")
# A run of letters, digits and what joins them; blanks; anything else, one by one.
_TOKEN = re.compile(r"[\w.@'-]+|\s+|[^\w\s]")
_PUNCTUATION = frozenset(".,;:!?()[]<>=/-")
# "user 7", "Section ID: 85009", "id [9104]": numbers there are ids; any other may be a score.
_BEFORE_IDS = frozenset(("id", "ids", "dcid", "user", "section", "course", "term", "account"))
_ID = re.compile(r"[A-Za-z]{0,2}\d{1,20}(?:-\d{1,20}){0,3}", re.ASCII)


def cut(text: str, most: int = MAX_ERROR_TEXT_CHARS) -> str:
    """Return the text, or its whole words within so many characters."""
    if len(text) <= most:
        return text
    kept = text[:most].rsplit(maxsplit=1)
    return kept[0] if len(kept) > 1 else ""


def masked(text: str) -> str:
    """Return one line of at most 200 characters: known words, field names and ids; `…` for everything else."""
    shown: list[str] = []
    before_id = False
    for token in _TOKEN.findall(_QUOTED.sub(f" {HIDDEN} ", cut(text).replace("\u2019s", "'s"))):
        if token.isspace():
            shown.append(" ")
            continue
        word = token.strip(".'-")
        if not word:
            shown.append(token[0] if token[0] in _PUNCTUATION else "")
            continue
        if token in _PUNCTUATION:
            shown.append(token)
            continue
        if is_known(word) or (before_id and _ID.fullmatch(word)):
            before_id = word.lower().rpartition("_")[2].rpartition(".")[2] in _BEFORE_IDS and "login" not in word
            shown.append(f"{word}{'.' if token.endswith('.') else ''}")
        else:
            before_id = False
            shown.append(HIDDEN)
    return _line(shown)


def _line(shown: list[str]) -> str:
    """Join the pieces; what stands between two hidden words is hidden with them."""
    kept: list[str] = []
    last = -1
    for piece in shown:
        if piece == HIDDEN:
            if last >= 0:
                del kept[last:]
            last = len(kept)
        elif piece.strip() and piece not in _PUNCTUATION:
            last = -1
        kept.append(piece)
    line = " ".join("".join(kept).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + HIDDEN


def error_messages(body: Json) -> list[str]:
    """Return the texts of an error body, unmasked, in their order, whichever of the known shapes it has.

    They are cut after `MAX_ERROR_TEXT_CHARS` characters in all; what is nested too deep is left out.
    """
    left, texts = MAX_ERROR_TEXT_CHARS, []
    for text in _Walk().texts(body, _MAX_DEPTH):
        texts.append(cut(text, left))
        left -= len(texts[-1])
        if left <= 0 or len(texts[-1]) < len(text):
            break
    return [text for text in texts if text]


class _Walk:
    """Goes through a body, up to so many values."""

    def __init__(self) -> None:
        self._left = _MAX_VALUES

    def texts(self, body: Json, depth: int) -> Iterator[str]:
        """Yield the texts."""
        self._left -= 1
        if self._left < 0 or depth == 0:
            return
        match body:
            case str():
                yield body
            case list():
                for item in body:
                    if self._left < 0:
                        return
                    yield from self.texts(item, depth - 1)
            case dict():
                for key in _TELLING:
                    if key in body:
                        yield from self._below(key, body[key], depth - 1)

    def _below(self, key: str, value: Json, depth: int) -> Iterator[str]:
        """Canvas keys the errors of a form by its field, so below `errors` every key is looked into."""
        is_form = key == "errors" and isinstance(value, dict) and not any(known in value for known in _TELLING)
        yield from self.texts(list(value.values()) if is_form and isinstance(value, dict) else value, depth)
