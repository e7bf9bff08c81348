"""The district's templates for SIS ids: which text in Canvas stands for which PowerSchool section or student."""

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass

from shared.config import PREFIX, ConfigurationError

SECTION_FIELDS = ("section_dcid", "section_id", "school_number", "term_id", "course_number", "section_number")
STUDENT_FIELDS = ("student_number", "student_dcid")
ONLY_DCID = "{section_dcid}"


@dataclass(frozen=True, slots=True)
class SisIdTemplate:
    """A checked template. Its fields are filled with text, so `{student_number:0>6}` pads to six digits.

    SIS ids are compared exactly. PowerSchool's JSON loses the leading zeros of numbers; a district whose ids have
    some says so with such a width, which cannot confuse two students as ignoring zeros could.
    """

    text: str

    def render(self, values: Mapping[str, str]) -> str:
        """Return the SIS id."""
        return self.text.format_map(values)


def section_template(text: str) -> SisIdTemplate:
    """Return the checked template of sections. Raises `ConfigurationError`."""
    return _checked(f"{PREFIX}SECTION_SIS_ID", text, SECTION_FIELDS)


def student_template(text: str) -> SisIdTemplate:
    """Return the checked template of students. Raises `ConfigurationError`."""
    return _checked(f"{PREFIX}STUDENT_SIS_ID", text, STUDENT_FIELDS)


def _checked(setting: str, text: str, known: tuple[str, ...]) -> SisIdTemplate:
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(text) if field is not None]
        text.format_map(dict.fromkeys(known, "1"))
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise ConfigurationError(f"{setting}: {text!r} is no template of {_listed(known)}") from error
    if not fields or any(re.fullmatch(r"\w+", field) is None or field not in known for field in fields):
        raise ConfigurationError(f"{setting}: {text!r} is no template of {_listed(known)}")
    return SisIdTemplate(text)


def _listed(fields: tuple[str, ...]) -> str:
    return ", ".join(f"{{{field}}}" for field in fields)
