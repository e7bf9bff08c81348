"""Normalizes descriptions for comparing and sending, and cuts them to what PowerSchool can hold."""

import re

import nh3

MAX_BYTES = 4000
# How much of a description is read. Cleaning takes time with the square of nested tags; PowerSchool stores far fewer.
MAX_READ_CHARS = 1_000_000
MAX_READ_TAGS = 5_000
# A tag or an entity that the cut left open.
_OPEN_END = re.compile(r"(?:<[^<>]*|&[#\w]{0,31})\Z")


def normal(html: str) -> str:
    """Return what the teacher wrote: without theme tags, scripts and file verifiers. Idempotent.

    For readers of its API, Canvas puts the account's mobile CSS and JavaScript before every description, and adds to
    links to files a `verifier` that opens the file without a login. One theme edit changes every description of the
    account. The tags and attributes that remain are those that `nh3` deems safe.

    Source: canvas-lms lib/api.rb, `api_user_content`.
    """
    html = _readable(html)
    if "<" not in html and "&" not in html:
        return html.strip()
    return nh3.clean(html, link_rel=None, attribute_filter=_without_verifier).strip()


def _readable(html: str) -> str:
    """Return the beginning that is read: all of it, except of a description that nobody wrote by hand."""
    if len(html) <= MAX_READ_TAGS:
        return html
    return "<".join(html[:MAX_READ_CHARS].split("<", MAX_READ_TAGS + 1)[: MAX_READ_TAGS + 1])


def truncate_html(html: str) -> str:
    """Return the description as PowerSchool stores it: 4,000 bytes at most, never cut inside a tag or an entity.

    The column holds 4,000; whether bytes or characters is not documented, and bytes are the safe reading. Compare
    a wanted description with an actual one by `same`. Elements cut open are closed by the reader.
    Source: PowerSchool gradebook schema, ASSIGNMENTSECTION.DESCRIPTION.
    """
    raw = html.encode()
    if len(raw) <= MAX_BYTES:
        return html
    return _OPEN_END.sub("", raw[:MAX_BYTES].decode(errors="ignore"))


def same(desired: str, actual: str) -> bool:
    """Say whether two descriptions say the same, whatever white space is between."""
    return desired == actual or _comparable(desired) == _comparable(actual)


def _comparable(html: str) -> str:
    return " ".join(normal(truncate_html(normal(html))).split())


def _without_verifier(_tag: str, attribute: str, value: str) -> str:
    if attribute not in ("href", "src") or "/files/" not in value or "verifier=" not in value:
        return value
    address, mark, fragment = value.partition("#")
    path, _, query = address.partition("?")
    remainder = "&".join(part for part in query.split("&") if not part.startswith("verifier="))
    return f"{path}{'?' if remainder else ''}{remainder}{mark}{fragment}"
