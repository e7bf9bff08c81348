"""The bodies of gradebook writes, as values. Source: PowerSchool xte API; measured against a test server."""

from collections.abc import Sequence
from decimal import Decimal

from shared.adapters.http.decimal_json import Json, plain
from shared.domain.passback.planning.diff import truncate_html
from shared.domain.passback.powerschool import DesiredAssignment, Mark, Score
from shared.ports.passback import ScoreRow

JsonObject = dict[str, Json]

# PowerSchool tags what it sends with these; they are no columns.
_TAGS = ("_name", "_id")


def new_assignment(desired: DesiredAssignment) -> JsonObject:
    """Return the body that creates the assignment in its one section; nothing in it that PowerSchool can default."""
    section: JsonObject = {
        "sectionsdcid": desired.section_dcid,
        "name": desired.name,
        "duedate": desired.due_date.isoformat(),
        "scoretype": "POINTS",
        "scoreentrypoints": desired.points,
        "totalpointvalue": desired.points,
        "weight": 1,
        "iscountedinfinalgrade": desired.counted is not False,
        "isscoringneeded": True,
        "_assignmentcategoryassociations": [{"teachercategoryid": desired.category_id, "isprimary": True}],
    }
    if desired.description:
        section["description"] = truncate_html(desired.description)
    if desired.publish_option is not None:
        section["publishoption"] = desired.publish_option
    if desired.scores_published is not None:
        section["isscorespublish"] = desired.scores_published
    return {"_assignmentsections": [section]}


def changed_assignment(current: JsonObject, assignment_section_id: int, desired: DesiredAssignment) -> JsonObject:
    """Return the assignment as PowerSchool sent it, with passback's own fields made equal to `desired`.

    An update replaces the whole assignment, so every section and id is sent back. Where an assignment spans
    sections, all but the due date must be equal in them.
    """
    changed = _untagged(current)
    sections = _objects(changed.get("_assignmentsections"))
    changed["_assignmentsections"] = [_changed_section(one, assignment_section_id, desired) for one in sections]
    return changed


def scores(rows: Sequence[ScoreRow]) -> JsonObject:
    """Return the body of a score batch, which may empty scores.

    All six flags are sent: passback's own, so that a withdrawn one is withdrawn, and the teacher's as they were read.
    Whether PowerSchool keeps a flag that is left out is not publicly known. A comment is a record of its own
    (ASSIGNMENTSCORECOMMENT) and is left out.

    Inferred: how to empty a score is not publicly known. PowerTeacher Pro's own page sends empty values like this, so
    that the row is written as a score would be, with nothing in it.
    """
    return {
        "assignment_scores": [
            {
                "_assignmentsection": {"assignmentsectionid": row.assignment_section_id},
                "studentsdcid": row.student_dcid,
                **_score(row.score),
                **_marks(row.marks),
            }
            for row in rows
        ]
    }


def _score(score: Score | None) -> dict[str, Json]:
    if score is None or score.points is None:
        return {"actualscoreentered": "", "scorepoints": None, "ismissing": False, "isexempt": False}
    return {
        "actualscoreentered": plain(score.points),
        "actualscorekind": "REAL_SCORE",
        "scoretype": "POINTS",
        "scorepoints": score.points,
        "ismissing": score.missing,
        "isexempt": score.exempt,
    }


def _marks(marks: frozenset[Mark] | None) -> dict[str, Json]:
    return {} if marks is None else {f"is{mark.value}": mark in marks for mark in Mark}


def _changed_section(section: JsonObject, assignment_section_id: int, desired: DesiredAssignment) -> JsonObject:
    addressed = section.get("assignmentsectionid") in (assignment_section_id, [assignment_section_id])
    changed: JsonObject = {
        **section,
        "name": desired.name,
        "duedate": desired.due_date.isoformat() if addressed else section.get("duedate"),
        "scoreentrypoints": desired.points,
        "totalpointvalue": desired.points * _weight(section),
        "_assignmentcategoryassociations": _recategorized(section, desired.category_id),
    }
    if desired.description is not None:
        changed["description"] = truncate_html(desired.description)
    if desired.counted is not None:
        changed["iscountedinfinalgrade"] = desired.counted
    if desired.scores_published is not None:
        changed["isscorespublish"] = desired.scores_published
    return changed


def _weight(section: JsonObject) -> Decimal:
    weight = section.get("weight")
    return Decimal(weight) if isinstance(weight, int | Decimal) else Decimal(1)


def _recategorized(section: JsonObject, category_id: int) -> list[Json]:
    """Return the section's categories with the primary one replaced, its association's id kept."""
    associations = _objects(section.get("_assignmentcategoryassociations"))
    primary = [association for association in associations if association.get("isprimary", True)]
    for association in primary:
        association.pop("_teachercategory", None)
        association["teachercategoryid"] = category_id
    if not primary:
        associations.append({"teachercategoryid": category_id, "isprimary": True})
    return [*associations]


def _objects(value: Json) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _untagged(value: JsonObject) -> JsonObject:
    return {key: _without_tags(item) for key, item in value.items() if key not in _TAGS and not key.startswith("$")}


def _without_tags(value: Json) -> Json:
    match value:
        case dict():
            return _untagged(value)
        case list():
            return [_without_tags(item) for item in value]
        case _:
            return value
