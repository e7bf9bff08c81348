"""The bodies of the PowerTeacher Pro API, on the way in and on the way out."""

import random
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError

from shared.sandbox.powerschool.request import message, number
from shared.sandbox.powerschool.rows import Assignment, AssignmentSection

B = TypeVar("B", bound=BaseModel)

FLAGS = ("late", "collected", "exempt", "missing", "absent", "incomplete")
SECTION_VALUES = {
    "name": "name",
    "description": "description",
    "scoretype": "score_type",
    "scoreentrypoints": "points",
    "weight": "weight",
    "extracreditpoints": "extra_points",
    "iscountedinfinalgrade": "counted",
    "isscoringneeded": "scoring_needed",
    "publishoption": "publish_option",
    "isscorespublish": "scores_published",
}
"""What a client may set of an assignment section as it is: xte's key, and the field of the row."""


class _Body(BaseModel):
    """Unknown keys are ignored: the PowerTeacher Pro page itself sends some."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class AssociationBody(_Body):
    """A category association as a client sends it."""

    assignmentcategoryassocid: StrictInt | None = None
    teachercategoryid: StrictInt
    isprimary: StrictBool = False


class StudentAssociationBody(_Body):
    """A student to whom an assignment is limited."""

    studentsdcid: StrictInt


class AssignmentSectionBody(_Body):
    """An assignment section as a client sends it; the rules check the values."""

    sectionsdcid: StrictInt
    assignmentsectionid: StrictInt | None = None
    name: StrictStr | None = None
    description: StrictStr | None = None
    duedate: StrictStr | None = None
    scoretype: StrictStr = "POINTS"
    scoreentrypoints: Decimal | None = None
    extracreditpoints: Decimal = Decimal(0)
    weight: Decimal = Decimal(1)
    totalpointvalue: Decimal | None = None
    iscountedinfinalgrade: StrictBool = True
    isscoringneeded: StrictBool = False
    isscorespublish: StrictBool = True
    publishoption: StrictStr = "Immediately"
    categories: list[AssociationBody] | None = Field(default=None, alias="_assignmentcategoryassociations")
    students: list[StudentAssociationBody] = Field(default_factory=list, alias="_assignmentstudentassociations")

    @property
    def total(self) -> Decimal:
        """Return points times weight."""
        return (self.scoreentrypoints or Decimal(0)) * self.weight


class AssignmentBody(_Body):
    """An assignment as a client sends it."""

    sections: list[AssignmentSectionBody] = Field(default_factory=list, alias="_assignmentsections")


class ScoreAddress(_Body):
    """The assignment section that a score belongs to."""

    assignmentsectionid: StrictInt


class CommentBody(_Body):
    """A score comment."""

    commentvalue: StrictStr


class ScoreBody(_Body):
    """One row of a score batch."""

    section: ScoreAddress = Field(alias="_assignmentsection")
    studentsdcid: StrictInt
    assignmentscoreid: StrictInt | None = None
    actualscoreentered: StrictStr | None = None
    actualscorekind: StrictStr | None = None
    actualscoregradescaledcid: StrictInt | None = None
    scoretype: StrictStr | None = None
    scorepoints: Decimal | None = None
    islate: StrictBool = False
    iscollected: StrictBool = False
    isexempt: StrictBool = False
    ismissing: StrictBool = False
    isabsent: StrictBool = False
    isincomplete: StrictBool = False
    comment: CommentBody | None = Field(default=None, alias="_assignmentscorecomment")

    @property
    def address(self) -> tuple[int, int]:
        """Return what identifies the score: assignment section and student."""
        return self.section.assignmentsectionid, self.studentsdcid

    @property
    def is_blank(self) -> bool:
        """Say whether there is no score in it, nor a flag that would be one's reason; a teacher's own may be."""
        reasons = self.ismissing or self.isexempt
        return not self.actualscoreentered and self.scorepoints is None and not reasons

    @property
    def flagged(self) -> bool:
        """Say whether any flag is set."""
        return any(getattr(self, f"is{flag}") for flag in FLAGS)


class ScoreBatchBody(_Body):
    """The body of `PUT /ws/xte/score`."""

    assignment_scores: list[ScoreBody] = Field(min_length=1)


def parsed(model: type[B], body: Any) -> B:
    """Return the body as `model`. Raises: Refusal with 400 naming the keys of the wrong type (inferred)."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, row["loc"])) for row in error.errors())
        raise message(400, f"The request body cannot be read at: {wrong}") from error


def tagged(kind: str, row_id: int | None, **values: Any) -> dict[str, Any]:
    """Return an object as xte writes it: `_name`, `_id`, and no key whose value is null (a public capture)."""
    tags = {"_name": kind} if row_id is None else {"_name": kind, "_id": row_id}
    return tags | {key: value for key, value in values.items() if value is not None}


def with_noise(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the random `$breach_mitigation` key that may appear on any object (client code)."""
    for row in rows[::2]:
        row["$breach_mitigation"] = "".join(random.choices("abcdefghijklmnopqrstuvwxyzABCDEF", k=17))
    return rows


def assignment_json(assignment: Assignment) -> dict[str, Any]:
    """Return an assignment with all its sections."""
    return tagged(
        "assignment",
        assignment.assignment_id,
        assignmentid=assignment.assignment_id,
        createdbyplugin=assignment.created_by_plugin,
        hasstandards=False,
        standardscoringmethod="GradeScale",
        standardcalcdirection="NONE",
        _assignmentstandardassociations=[],
        _assignmentsections=[_section_json(row) for row in assignment.sections],
    )


def _section_json(row: AssignmentSection) -> dict[str, Any]:
    values = {key: getattr(row, field) for key, field in SECTION_VALUES.items()}
    return tagged(
        "assignmentsection",
        row.assignment_section_id,
        assignmentsectionid=row.assignment_section_id,
        sectionsdcid=row.section_dcid,
        **{key: number(value) if isinstance(value, Decimal) else value for key, value in values.items()},
        duedate=row.due_date.isoformat(),
        totalpointvalue=number(row.total),
        islocked=row.locked,
        maxretakeallowed=0,
        _assignmentstudentassociations=[
            tagged("assignmentstudentassoc", None, studentsdcid=student) for student in row.student_dcids
        ],
        _assignmentcategoryassociations=[
            tagged(
                "assignmentcategoryassoc",
                association.id,
                assignmentcategoryassocid=association.id,
                teachercategoryid=association.category_id,
                isprimary=association.is_primary,
            )
            for association in row.categories
        ],
    )
