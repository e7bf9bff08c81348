"""What a remote system said, without what it must not carry: names, scores, addresses."""

import re

from shared.adapters.http.exact_json import Json

LONGEST = 200
_TELLING = ("message", "errorMessage", "error", "error_description", "errors", "code", "field", "resource", "title")
_QUOTED = re.compile(r"(?<!\w)'[^']*'|\"[^\"]*\"|\u201c[^\u201d]*\u201d|\u2018[^\u2019]*\u2019")
_ADDRESS = re.compile(r"\S+@\S+")
# Ids help whoever reads a refusal; other numbers may be scores. PowerSchool writes ids as "[1]" or "id 1".
_NUMBER = re.compile(r"(?<![\w.\[-])(?<!\bid )(?<!\bid=)(?<!\bid: )(?<!\bdcid )-?\d+(?:[.,]\d+)*(?![\w\]])")


def masked(text: str) -> str:
    """Return one line of at most 200 characters, quoted values, addresses and numbers that are no ids as `…`."""
    for secret in (_QUOTED, _ADDRESS, _NUMBER):
        text = secret.sub("…", text)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def sentences(body: Json) -> list[str]:
    """Return the texts of an error body, unmasked, in their order, whichever of the known shapes it has."""
    match body:
        case str():
            return [body]
        case list():
            return [text for item in body for text in sentences(item)]
        case dict():
            return [text for key in _TELLING if key in body for text in _below(key, body[key])]
        case _:
            return []


def _below(key: str, value: Json) -> list[str]:
    """Canvas keys the errors of a form by its field, so below `errors` every key is looked into."""
    if key == "errors" and isinstance(value, dict) and not any(known in value for known in _TELLING):
        return [text for item in value.values() for text in sentences(item)]
    return sentences(value)
