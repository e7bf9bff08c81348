"""Compares a desired with an actual assignment, in the fields and scores that passback owns.

PowerSchool may store a value differently from what was sent: an emoji as `??`, HTML stripped, points rounded, a score
times the assignment's weight. Which values it does that to is not publicly known. Digests of such values, echoes, are
stored in the link: otherwise each sync would find a difference and write again.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from hashlib import blake2b
from string import ascii_letters, digits

import msgspec
import nh3

from shared.domain.passback.planning.links import Echo, Link
from shared.domain.passback.powerschool import OWNED_FIELDS, ActualAssignment, DesiredAssignment, Score, WrittenField
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.domain.passback.rules.score import DECIMAL_PLACES, to_powerschool_decimal

MAX_BYTES = 4000
# How much of a description is read. Cleaning takes time with the square of nested tags; PowerSchool stores far fewer.
MAX_READ_CHARS = 1_000_000
MAX_READ_TAGS = 5_000
# A tag or an entity that the cut left open.
_OPEN_END = re.compile(r"(?:<[^<>]*|&[#\w]{0,31})\Z")


def clean_description(html: str) -> str:
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
    a wanted description with an actual one by `is_same_description`. Elements cut open are closed by the reader.
    Source: PowerSchool gradebook schema, ASSIGNMENTSECTION.DESCRIPTION.
    """
    raw = html.encode()
    if len(raw) <= MAX_BYTES:
        return html
    return _OPEN_END.sub("", raw[:MAX_BYTES].decode(errors="ignore"))


def is_same_description(desired: str, actual: str) -> bool:
    """Say whether two descriptions say the same, whatever white space is between."""
    return desired == actual or _comparable(desired) == _comparable(actual)


def _comparable(html: str) -> str:
    return " ".join(clean_description(truncate_html(clean_description(html))).split())


def _without_verifier(_tag: str, attribute: str, value: str) -> str:
    if attribute not in ("href", "src") or "/files/" not in value or "verifier=" not in value:
        return value
    address, mark, fragment = value.partition("#")
    path, _, query = address.partition("?")
    remainder = "&".join(part for part in query.split("&") if not part.startswith("verifier="))
    return f"{path}{'?' if remainder else ''}{remainder}{mark}{fragment}"


def changed_fields(desired: DesiredAssignment, actual: ActualAssignment) -> tuple[WrittenField, ...]:
    """Return the owned fields in which PowerSchool differs from Canvas; a value that one does not show is equal."""
    equal = {
        WrittenField.NAME: desired.name.strip() == actual.name.strip(),
        WrittenField.DESCRIPTION: (
            desired.description is None or is_same_description(desired.description, actual.description)
        ),
        WrittenField.DUE_DATE: desired.due_date == actual.due_date,
        WrittenField.POINTS: to_powerschool_decimal(desired.points) == actual.points,
        WrittenField.CATEGORY: desired.category_id == actual.category_id,
        WrittenField.COUNTED: _is_equal_or_unknown(desired.counted, actual.counted),
        WrittenField.SCORES_PUBLISHED: _is_equal_or_unknown(desired.scores_published, actual.scores_published),
    }
    return tuple(field for field, is_equal in equal.items() if not is_equal)


def agrees(desired: Score, actual: Score | None) -> bool:
    """Say whether the row needs no write. A score code that a teacher entered is replaced, whatever it is worth.

    PowerSchool keeps an exempt row with or without a score; it counts neither way.
    """
    if actual is None or actual.is_code:
        return False
    if actual.missing != desired.missing or actual.exempt != desired.exempt:
        return False
    points = Decimal(0) if actual.points is None and actual.exempt else actual.points
    return points == desired.points or points == to_powerschool_decimal(desired.points)


def has_value(score: Score) -> bool:
    """Say whether the row holds more than an emptied one: a score or a flag that passback sends."""
    return score.points is not None or score.missing or score.exempt


def is_flag_zero(score: Score) -> bool:
    """Say whether the row holds nothing but what a flag alone brings: the flag, and a 0 or no score."""
    return not score.is_code and has_value(score) and not score.points


def _is_equal_or_unknown(desired: bool | None, actual: bool | None) -> bool:
    return desired is None or actual is None or desired == actual


DIGEST_BYTES = 6
# Sent in place of a digest where a score was emptied.
CLEARED = "cleared"
# A code's first character is a letter, so that no search for an id finds one in several codes.
_CODE_CHARACTERS = ascii_letters + digits + "+/"
_CODE_MODULUS = 797


def fields_to_write(
    desired: DesiredAssignment, actual: ActualAssignment, echoes: Mapping[str, Echo]
) -> tuple[WrittenField, ...]:
    """Return the owned fields that differ, without those that PowerSchool stores as it did after they were sent."""
    return tuple(f for f in changed_fields(desired, actual) if _echo_of(f, desired, actual) != echoes.get(f.value))


def scores_to_write(
    desired: DesiredAssignment, actual: ActualAssignment | None, echoes: Mapping[str, Echo]
) -> dict[int, Score]:
    """Return the scores to send, by STUDENTS.DCID in order, as exactly as PowerSchool can hold them.

    Equal ones are left out, and those that it stores differently from what was sent: families are notified of every
    write.
    """
    there: Mapping[int, Score] = {} if actual is None else actual.scores
    weight = None if actual is None else actual.weight
    differing = sorted(dcid for dcid, score in desired.scores.items() if not agrees(score, there.get(dcid)))
    rounded = ((dcid, _rounded(desired.scores[dcid])) for dcid in differing)
    return {dcid: s for dcid, s in rounded if not is_echo(echoes.get(str(dcid)), s, there.get(dcid), weight)}


def _rounded(score: Score) -> Score:
    points = to_powerschool_decimal(score.points)
    return score if points is score.points else msgspec.structs.replace(score, points=points)


def is_echo(echo: Echo | None, desired: Score, actual: Score | None, weight: Decimal | None) -> bool:
    """Say whether `actual` is how PowerSchool stores `desired`, and not what a person entered since.

    At the first read after the write it may be either. A rounding of the score, or the score times the assignment's
    weight, counts as PowerSchool's; anything else is written again and read right after.
    """
    if echo is None or not _is_sent(echo, desired):
        return False
    if echo.stored is not None:
        return echo.stored == _stored_digest(actual)
    return actual is not None and _is_rounded_or_weighted(desired, actual, weight)


def echoes_after_read(
    desired: DesiredAssignment, actual: ActualAssignment, link: Link, *, after_write: bool = False
) -> Mapping[str, Echo]:
    """Return the link's echoes after PowerSchool was read.

    What agrees now needs no echo. With `after_write` the read follows the write at once, and every difference is
    PowerSchool's.
    """
    echoes = dict(_field_echoes(desired, actual, link.echoes, after_write=after_write))
    for key, echo in link.echoes.items():
        if key.isdigit() and (updated := _seen_score(int(key), echo, desired, actual, after_write=after_write)):
            echoes[key] = updated
    return echoes


def not_cleared(desired: DesiredAssignment, actual: ActualAssignment, link: Link) -> dict[int, Score]:
    """Return the scores that PowerSchool accepted to empty and still has, by STUDENTS.DCID."""
    cleared = {int(key) for key, echo in link.echoes.items() if echo.sent == CLEARED}
    still = {dcid: actual.scores[dcid] for dcid in sorted(cleared & actual.scores.keys()) if dcid not in desired.scores}
    return {dcid: score for dcid, score in still.items() if has_value(score)}


def stored_differently(echoes: Mapping[str, Echo]) -> Iterator[Finding]:
    """Yield one finding about everything that PowerSchool stores differently from what was sent, if it does."""
    stored = {key for key, echo in echoes.items() if echo.stored is not None and echo.sent != CLEARED}
    fields = [field.value.replace("_", " ") for field in OWNED_FIELDS if field.value in stored]
    scores = len(stored) - len(fields)
    names = [*fields, *([f"{scores} score{'s' if scores > 1 else ''}"] if scores else [])]
    if names:
        yield Finding(Reason.STORED_DIFFERENTLY, ", ".join(names))


def echoes_after_write(link: Link, scores: Mapping[int, Score]) -> Mapping[str, Echo]:
    """Return the link's echoes after these scores were written, by STUDENTS.DCID."""
    return {**link.echoes, **{str(dcid): Echo(score_code(score)) for dcid, score in scores.items()}}


def is_repeated(link: Link, student_dcid: int, score: Score) -> bool:
    """Say whether the score was sent before and was not stored so: it is read again right after the next write."""
    echo = link.echoes.get(str(student_dcid))
    return echo is not None and _is_sent(echo, score)


def score_code(score: Score) -> str:
    """Return two characters for a score that waits for the next look; a digest if it has more than two decimals.

    A course has a thousand scores right after they were written, most of which PowerSchool stores as they are. The code
    says which of all scores with these flags it is, give or take a multiple of 7.97 points. No two scores that may be
    rounded to the same number have one code, and seldom two that a teacher gives a student one after the other.
    """
    points = to_powerschool_decimal(score.points)
    if points is None or points * 100 % 1:
        return score_digest(score)
    number = (int(points * 100) % _CODE_MODULUS * 2 + score.missing) * 2 + score.exempt
    return _CODE_CHARACTERS[number // 64] + _CODE_CHARACTERS[number % 64]


def score_digest(score: Score) -> str:
    """Return the digest of a score as it is sent."""
    return _digest("sent", _plain(to_powerschool_decimal(score.points)), score.missing, score.exempt)


def _is_sent(echo: Echo, score: Score) -> bool:
    return echo.sent == score_digest(score) or (echo.stored is None and echo.sent == score_code(score))


def _stored_digest(score: Score | None) -> str:
    if score is None:
        return _digest("none")
    return _digest("stored", _plain(score.points), score.missing, score.exempt, score.is_code)


def _field_echoes(
    desired: DesiredAssignment, actual: ActualAssignment, echoes: Mapping[str, Echo], *, after_write: bool
) -> Iterator[tuple[str, Echo]]:
    for differing in changed_fields(desired, actual):
        echo = _echo_of(differing, desired, actual) if after_write else echoes.get(differing.value)
        if echo is not None:
            yield differing.value, echo


def _echo_of(of: WrittenField, desired: DesiredAssignment, actual: ActualAssignment) -> Echo:
    return Echo(_digest(stored_text(of, desired)), _digest(stored_text(of, actual)))


def _seen_score(
    dcid: int, echo: Echo, desired: DesiredAssignment, actual: ActualAssignment, *, after_write: bool
) -> Echo | None:
    there = actual.scores.get(dcid)
    if dcid in desired.scores:
        score = desired.scores[dcid]
        if agrees(score, there):
            return None
        if (after_write and _is_sent(echo, score)) or is_echo(echo, score, there, actual.weight):
            return Echo(score_digest(score), _stored_digest(there))
        return echo
    if dcid not in desired.unscored or echo.sent != CLEARED:
        return echo
    if there is None or not has_value(there):
        return None
    stored = _stored_digest(there)
    # PowerSchool has another score than when it was to empty it: somebody entered it.
    return replace(echo, stored=stored) if echo.stored in (None, stored) else None


def _is_rounded_or_weighted(desired: Score, actual: Score, weight: Decimal | None) -> bool:
    wanted, points = to_powerschool_decimal(desired.points), actual.points
    if points is None or wanted is None or actual.is_code:
        return False
    if (actual.missing, actual.exempt) != (desired.missing, desired.exempt):
        return False
    if weight is not None and points == to_powerschool_decimal(wanted * weight):
        return True
    decimals = _decimals(points)
    return decimals < min(_decimals(wanted), DECIMAL_PLACES) and abs(points - wanted) < Decimal(1).scaleb(-decimals)


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def stored_text(of: WrittenField, side: DesiredAssignment | ActualAssignment) -> str:
    """Return a field of an assignment as text, in one form for equal numbers."""
    match of:
        case WrittenField.POINTS:
            return str(_plain(to_powerschool_decimal(side.points)))
        case WrittenField.CATEGORY:
            return str(side.category_id)
        case _:
            return str(getattr(side, of.value))


def _plain(number: Decimal | None) -> str | None:
    return None if number is None else f"{number.normalize():f}"


def _digest(*values: object) -> str:
    return blake2b(repr(values).encode(), digest_size=DIGEST_BYTES).hexdigest()
