"""The types of settings: how the text of a variable is split and checked."""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from shared.clock import checked_cron
from shared.domain.provisioning.policy import (
    ACCOUNT_FIELDS,
    COURSE_FIELDS,
    SECTION_FIELDS,
    STAFF_LOGIN_FIELDS,
    STUDENT_FIELDS,
    STUDENT_LOGIN_FIELDS,
    TEACHER_FIELDS,
    TERM_FIELDS,
    DroppedStatus,
    PreRegistered,
    ReplacedStatus,
    checked_template,
)

LOGIN_FIELDS = {"student": STUDENT_LOGIN_FIELDS, "staff": STAFF_LOGIN_FIELDS}


class ClearedScores(StrEnum):
    """What becomes of a score that was sent and is empty in Canvas now."""

    REPORT = "report"
    BLANK = "blank"


def pairs(parts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the key and the value of each `key:value`, without the blanks around them."""
    for part in parts:
        key, _, value = part.partition(":")
        yield key.strip(), value.strip()


def _comma_separated(value: object) -> object:
    """Split `a, b` into its parts; return anything that is not text unchanged."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _network(value: str) -> str:
    try:
        ip_network(value)
    except ValueError:
        raise ValueError(f"{value} is no address or network such as 10.1.2.3 or 10.1.0.0/16") from None
    return value


def _http_url(value: object) -> object:
    """Return the URL without its last slashes; an empty one is unset."""
    if not isinstance(value, str) or not value:
        return value
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is no URL; write it such as https://district.example")
    return value.rstrip("/")


def _origin(value: str) -> str:
    if not re.fullmatch(r"https?://(\*\.)?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:\d{1,5})?", value):
        raise ValueError(f"{value} is no address such as https://canvas.district.example or https://*.district.example")
    return value


def _zone(value: object) -> object:
    if isinstance(value, ZoneInfo) or value in (None, ""):
        return value or None
    try:
        return ZoneInfo(str(value))
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("is no IANA time zone; name one such as America/Chicago") from error


def _sentinels(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Check `host:port`; the first may begin with the master's name and `@`."""
    for index, part in enumerate(parts):
        host, _, port = (part.rpartition("@")[2] if index == 0 else part).rpartition(":")
        if not host or "@" in host or part.startswith("@") or not port.isdecimal():
            raise ValueError("is no list of host:port; write it such as redis-1.example:26379,redis-2.example:26379")
    return parts


def _template_of(fields: Sequence[str]) -> AfterValidator:
    """Return what checks a template of these fields; an empty one is unset."""
    return AfterValidator(lambda text: checked_template(text, fields).text if text else "")


def _account(text: str) -> str:
    """Check the template of accounts, which may be one account for all schools."""
    return checked_template(text, ACCOUNT_FIELDS).text if {"{", "}"} & set(text) else text


def _logins(parts: tuple[str, ...]) -> tuple[str, ...]:
    for key, template in pairs(parts):
        if key not in LOGIN_FIELDS:
            raise ValueError("is no list such as student:{email},staff:{email}")
        checked_template(template, LOGIN_FIELDS[key])
    return parts


def _keyed(values: Mapping[str, str], example: str) -> AfterValidator:
    """Return what checks a list of `key:value`. `values` has the pattern of the values by the pattern of their keys."""

    def check(parts: tuple[str, ...]) -> tuple[str, ...]:
        for given, value in pairs(parts):
            if not any(re.fullmatch(key, given) and re.fullmatch(pattern, value) for key, pattern in values.items()):
                raise ValueError(f"is no list such as {example}")
        return parts

    return AfterValidator(check)


def _one_of(values: type[StrEnum]) -> str:
    return "|".join(values)


Url = Annotated[str, BeforeValidator(_http_url)]
Zone = Annotated[ZoneInfo | None, BeforeValidator(_zone)]
Cron = Annotated[str, AfterValidator(checked_cron)]

Split = BeforeValidator(_comma_separated)
OptionalSeconds = Annotated[float | None, BeforeValidator(lambda value: None if value == "" else value)]
Waits = Annotated[tuple[Annotated[float, Field(ge=0)], ...], Split]
Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], Split]
Headers = Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")], ...], Split, Field(max_length=2)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], Split]
Sentinels = Annotated[tuple[str, ...], Split, AfterValidator(_sentinels)]

SectionTemplate = Annotated[str, _template_of(SECTION_FIELDS)]
StudentTemplate = Annotated[str, _template_of(STUDENT_FIELDS)]
CourseTemplate = Annotated[str, _template_of(COURSE_FIELDS)]
StaffTemplate = Annotated[str, _template_of(TEACHER_FIELDS)]
TermTemplate = Annotated[str, _template_of(TERM_FIELDS)]
AccountTemplate = Annotated[str, AfterValidator(_account)]
Logins = Annotated[tuple[str, ...], Split, AfterValidator(_logins)]

Selection = Annotated[
    tuple[str, ...], Split, _keyed({"school|course|section": r"-?[^-\s].*"}, "school:100,course:-LUNCH*")
]
Enrollments = Annotated[
    tuple[str, ...],
    Split,
    _keyed(
        {
            "dropped": _one_of(DroppedStatus),
            "replaced-teacher": _one_of(ReplacedStatus),
            "pre-registered": _one_of(PreRegistered),
            r"role-\d{1,9}": r"\S.*",
        },
        "dropped:inactive,replaced-teacher:completed,pre-registered:wait,role-27:ta",
    ),
]
Shares = Annotated[
    tuple[str, ...],
    Split,
    _keyed(
        {"courses|sections|users|enrollments|leavers": r"\d{1,2}|100"},
        "users:5,enrollments:10, of courses, sections, users, enrollments, leavers and 0 to 100 %",
    ),
]
ProxyRoles = Annotated[
    tuple[str, ...], Split, _keyed({"operator|score-viewer|viewer": r"\S.*"}, "operator:it-staff,viewer:help-desk")
]
