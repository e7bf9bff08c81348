"""PowerSchool's objects as they come over the wire: the fields that are used.

xte leaves out keys whose value is null. Query rows are text throughout.
"""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from shared.adapters.http.decimal_json import Json
from shared.domain.passback.powerschool import TeacherCategory
from shared.domain.passback.rules.score import is_reckonable


def listed(value: Json) -> list[Json]:
    """Return a list, whichever way it was written: as one, as its only item, or as nothing."""
    match value:
        case list():
            return value
        case None | "":
            return []
        case _:
            return [value]


def _none_if_blank(value: object) -> object:
    return None if value == "" else value


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


def _first(value: object) -> object:
    """One client of PowerSchool met assignment section ids that were lists."""
    return value[0] if isinstance(value, list) and value else value


def _day(value: object) -> object:
    return value[:10] if isinstance(value, str) else value


def _enrollment_day(value: object) -> object:
    """Return the date, None where there is none: extracts show 0/0/0 and 00/00/0000 as dates of an enrollment.

    Such a row is read without the date. `enrollment_periods` says what a missing date means.
    """
    numbers = [int(number) for number in re.findall(r"\d+", value[:10])] if isinstance(value, str) else []
    if isinstance(value, str) and "/" in value and len(numbers) == len(("month", "day", "year")):
        numbers = [numbers[2], *numbers[:2]]
    try:
        return date(*numbers)
    except (TypeError, ValueError, OverflowError):
        return None


def _whole(value: str) -> str:
    """Return the text. Raises: ValueError for half of a surrogate pair, which no file and no other system takes."""
    value.encode()
    return value


def _reckonable(value: Decimal | None) -> Decimal | None:
    """Return the number. Raises: ValueError for one that cannot be compared and rounded like a score."""
    if not is_reckonable(value):
        raise ValueError("a number out of range")
    return value


def _without_nulls(row: object) -> object:
    """Return the row without the keys that are null: those have a default, or are missed."""
    return {key: value for key, value in row.items() if value is not None} if isinstance(row, dict) else row


Text = Annotated[str, BeforeValidator(_text)]
WholeText = Annotated[str, BeforeValidator(_text), AfterValidator(_whole)]
Number = Annotated[Decimal, AfterValidator(_reckonable)]
MaybeNumber = Annotated[Decimal | None, BeforeValidator(_none_if_blank), AfterValidator(_reckonable)]
Flag = Annotated[bool, BeforeValidator(lambda value: False if value == "" else value)]
MaybeFlag = Annotated[bool | None, BeforeValidator(_none_if_blank)]
Id = Annotated[int, BeforeValidator(_first)]
Day = Annotated[date, BeforeValidator(_day)]
MaybeId = Annotated[int | None, BeforeValidator(_none_if_blank)]
MaybeDay = Annotated[date | None, BeforeValidator(_none_if_blank), BeforeValidator(_day)]
EnrollmentDay = Annotated[date | None, BeforeValidator(_enrollment_day)]


class Wire(BaseModel):
    """Unknown keys are PowerSchool's business; it adds random ones on purpose."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class ExcludedSection(Wire):
    """A section in which a category is not offered."""

    sectionsdcid: int


class CategoryWire(Wire):
    """One of `GET /ws/xte/teacher_category`; the documented and the measured names differ."""

    id: int = Field(validation_alias=AliasChoices("teachercategoryid", "id"))
    name: WholeText
    isactive: bool
    districtteachercategoryid: int | None = None
    defaultpublishoption: str | None = None
    isinfinalgrades: bool | None = None
    isdefaultpublishscores: bool | None = None
    excluded: list[ExcludedSection] = Field(
        default_factory=list,
        validation_alias=AliasChoices(
            "_teachercategorysectionexcludeassociations", "_teachercategorysectionexcludeassocs"
        ),
    )

    def to_domain(self) -> TeacherCategory:
        """Return the category."""
        return TeacherCategory(
            id=self.id,
            name=self.name,
            active=self.isactive,
            district_category_id=self.districtteachercategoryid,
            excluded_section_dcids=frozenset(each.sectionsdcid for each in self.excluded),
            default_publish_option=self.defaultpublishoption or None,
            counted=self.isinfinalgrades,
            scores_published=self.isdefaultpublishscores,
        )


class AssignmentSectionWire(Wire):
    """One of an assignment's `_assignmentsections`."""

    assignmentsectionid: Id
    sectionsdcid: int
    name: str
    description: str = ""
    duedate: Day
    scoreentrypoints: Decimal
    islocked: bool | None = None


class XteAssignment(Wire):
    """`GET /ws/xte/section/assignment/{id}`."""

    assignmentid: Id
    createdbyplugin: Text | None = None
    sections: list[AssignmentSectionWire] = Field(validation_alias="_assignmentsections")


class StateRow(Wire):
    """A row of `org.passback.sync.gradebook.state`: an assignment section, with one of its scores if it has any.

    The query of earlier versions of the plugin does not have what is None by default. Nulls are usually left out.
    """

    section_dcid: int
    assignment_id: int
    assignment_section_id: int
    name: WholeText
    due_date: Day
    description: WholeText = ""
    points: Number
    category_id: MaybeId = None
    created_by_plugin: Text | None = None
    student_dcid: MaybeId = None
    score_points: MaybeNumber = None
    score_kind: str = ""
    is_missing: Flag = False
    is_exempt: Flag = False
    is_counted: MaybeFlag = None
    scores_published: MaybeFlag = None
    weight: MaybeNumber = None
    score_type: WholeText | None = None
    is_late: MaybeFlag = None
    is_collected: MaybeFlag = None
    is_absent: MaybeFlag = None
    is_incomplete: MaybeFlag = None

    _nulls_are_left_out = model_validator(mode="before")(_without_nulls)


SCORE_CODE = "SCORE_CODE"
