"""The teacher FAQ says what the code says."""

from shared.domain.passback.rules.reasons import Reason
from tests.architecture.project import ROOT
from workers.cli.docs import teacher_faq


def test_the_teacher_faq_is_generated() -> None:
    """The guide is what the explanations make of it today."""
    guide = (ROOT / "deploy" / "guides" / "teacher-faq.md").read_text()

    assert guide == teacher_faq(), "python -m workers.cli.docs > deploy/guides/teacher-faq.md"


def test_the_teacher_faq_has_every_reason_once() -> None:
    """Whatever code `explain` names, a teacher finds it."""
    assert {reason: teacher_faq().count(f"Code: `{reason}`\n") for reason in Reason} == dict.fromkeys(Reason, 1)
