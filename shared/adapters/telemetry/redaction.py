"""Redacts log lines: what looks like a secret or a person is masked, whoever wrote the line.

passback's own log lines carry ids only. This is for what libraries print, and for mistakes.
"""

import re
from collections.abc import Callable, Collection, Mapping

from structlog.typing import EventDict, Processor, WrappedLogger

MASK = "[redacted]"
# Shorter values would mask ordinary words; real secrets are longer.
MIN_KNOWN_SECRET = 6

_SENSITIVE = (
    r"(?:access[_-]?token|client[_-]?secret|api[_-]?key|authorization|cookie|credentials?|password|secret|token)"
)
_SECRET_FIELD = re.compile(rf"(?i)(?:^|[_-]){_SENSITIVE}s?$|(?:^|[_-])e[_-]?mail$")

# A longer text is cut to its whole words within so many characters, once the known secrets are out of it.
MAX_TEXT = 2_000
CUT = " …"

# Each begins only where a run of its characters begins, so that no text is scanned from each of its positions.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # User and password of a URL, then its query, which Canvas fills with tokens and searches with names.
    (re.compile(r"(://)[^/\s@]*@"), rf"\1{MASK}@"),
    (re.compile(r"(\bhttps?://[^\s?#\"'<>]{1,500})\?[^\s\"'#<>]*"), rf"\1?{MASK}"),
    (re.compile(r"(?<![\w.%+'-])[\w.%+'-]+@[\w-]+(?:\.[\w-]+)+"), MASK),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{16,}"), rf"\1 {MASK}"),
    (re.compile(r"\beyJ[\w-]{1,4000}\.[\w-]+(?:\.[\w-]*)?"), MASK),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]+"), MASK),
    (re.compile(r"\b\d{1,6}~[A-Za-z0-9]{16,}"), MASK),  # A Canvas access token, with its shard in front.
    (re.compile(rf"(?i)\b({_SENSITIVE})([\"']?\s*[=:]\s*[\"']?)(?!\[redacted\])[^\s\"'&,;)}}]+"), rf"\1\2{MASK}"),
    # Anything long and random-looking: letters and digits mixed, longer than a UUID.
    (re.compile(r"(?<![\w/~-])(?=[A-Za-z_~-]*\d)(?=[\d_~-]*[A-Za-z])[\w~-]{40,}"), MASK),
)


def redactor(secrets: Collection[str] = ()) -> Processor:
    """Return a structlog processor that masks `secrets` and whatever looks like one, in fields and in text.

    Numbers, times and enumerations stay as they are. Field names decide too: a text under `password` is masked
    whatever it looks like.
    """
    known = [secret for secret in secrets if len(secret) >= MIN_KNOWN_SECRET]

    def masked(text: str) -> str:
        for secret in known:
            text = text.replace(secret, MASK)
        text = _cut(text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def redact(_logger: WrappedLogger, _method: str, event: EventDict, /) -> EventDict:
        return {name: _redacted(name, value, masked) for name, value in event.items()}

    return redact


def _cut(text: str) -> str:
    """Return the text, or its whole words within `MAX_TEXT` characters: half of a secret does not look like one."""
    if len(text) <= MAX_TEXT:
        return text
    parts = text[:MAX_TEXT].rsplit(maxsplit=1)
    return f"{parts[0] if len(parts) > 1 else MASK}{CUT}"


def _redacted(name: str, value: object, masked: Callable[[str], str]) -> object:
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, str):
        return MASK if value and _SECRET_FIELD.search(name) else masked(value)
    if isinstance(value, Mapping):
        return {str(key): _redacted(str(key), item, masked) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(name, item, masked) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return masked(str(value))
