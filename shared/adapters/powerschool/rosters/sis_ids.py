"""The district's templates for SIS ids of sections and students, checked as settings."""

from shared.config import PREFIX, ConfigurationError
from shared.domain.provisioning.rows.sis_ids import SECTION_FIELDS, STUDENT_FIELDS, SisIdTemplate, checked_template

ONLY_DCID = "{section_dcid}"


def section_template(text: str) -> SisIdTemplate:
    """Return the checked template of sections. Raises `ConfigurationError`."""
    return _checked(f"{PREFIX}SECTION_SIS_ID", text, SECTION_FIELDS)


def student_template(text: str) -> SisIdTemplate:
    """Return the checked template of students. Raises `ConfigurationError`."""
    return _checked(f"{PREFIX}STUDENT_SIS_ID", text, STUDENT_FIELDS)


def _checked(setting: str, text: str, known: tuple[str, ...]) -> SisIdTemplate:
    try:
        return checked_template(text, known)
    except ValueError as error:
        raise ConfigurationError(f"{setting}: {text!r} {error}") from error
