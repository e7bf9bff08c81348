"""Renames that PowerSchool refuses, or that wait for another one: they never hold back an assignment's scores."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from shared.domain.causes import Cause, Scope
from shared.domain.passback.planning.assignment_matching import normalize_name, temporary_name
from shared.domain.passback.planning.desired import Link
from shared.domain.passback.planning.diff import OwnedField
from shared.domain.passback.planning.plan import CreateStep, UpdateStep
from shared.domain.passback.powerschool import ActualAssignment
from shared.domain.passback.rules.reasons import REASON_OF_CAUSE, Finding, Reason
from shared.errors import AccessDenied, NotFound, PermanentError, RequestRejected, TransientError

# Refusals of a name together with its day.
_OF_THE_DAY = frozenset({Cause.DUPLICATE, Cause.DUE_DATE})


class NamesInUse:
    """Which names and days the assignments of the sections have, while a plan is carried out.

    The plan counts on its own order: where a rename fails, the name of the next one is not free.
    """

    def __init__(self, actual: Iterable[ActualAssignment]) -> None:
        self._there: dict[tuple[int, int], tuple[str, date]] = {}
        for a in actual:
            self.written(a.section_dcid, a.assignment_section_id, a.name, a.due_date)

    def written(self, section_dcid: int, assignment_section_id: int, name: str, due_date: date) -> None:
        """Note that an assignment has this name and day now."""
        self._there[section_dcid, assignment_section_id] = (normalize_name(name), due_date)

    def in_the_way(self, step: CreateStep | UpdateStep, link: Link | None) -> list[int]:
        """Return the assignment section ids that have the name that the step would give.

        For one that has the name already, or had it before a temporary one, only another one on the same day is.
        """
        desired = step.desired
        own = step.actual.assignment_section_id if isinstance(step, UpdateStep) else None
        name, names = (
            normalize_name(desired.name),
            {normalize_name(link.name)} if link is not None and own is not None else set(),
        )
        if own is not None:
            names.add(self._there.get((desired.section_dcid, own), ("", desired.due_date))[0])
        return sorted(
            id_
            for (section_dcid, id_), (other, day) in self._there.items()
            if section_dcid == desired.section_dcid
            and id_ != own
            and other == name
            and (name not in names or day == desired.due_date)
        )


def without_rename(step: UpdateStep, link: Link, *, keep_due_date: bool) -> UpdateStep | None:
    """Return what remains of the update if the assignment keeps its name, None if nothing does.

    One that has a temporary name gets the name back that its link remembers.
    """
    is_parked = normalize_name(step.actual.name) == normalize_name(temporary_name(step.key.assignment_id))
    name = link.name if is_parked else step.actual.name
    due_date = step.actual.due_date if keep_due_date else step.desired.due_date
    desired = replace(step.desired, name=name, due_date=due_date)
    kept = {OwnedField.NAME, OwnedField.DUE_DATE} if keep_due_date else {OwnedField.NAME}
    rest = tuple(each for each in step.changed_fields if each not in kept)
    fields = ((OwnedField.NAME,) if is_parked else ()) + rest
    return UpdateStep(step.actual, desired, fields) if fields else None


def refusal_of_name(step: object, error: TransientError | PermanentError) -> Finding | None:
    """Return why PowerSchool refused a rename, None where the error is about something else.

    A refusal seldom says which field it is about: an update that would rename is tried again without the name.
    """
    if (
        not isinstance(step, UpdateStep)
        or OwnedField.NAME not in step.changed_fields
        or not isinstance(error, RequestRejected)
    ):
        return None
    reason = REASON_OF_CAUSE.get(error.cause)
    if reason is None or isinstance(error, NotFound | AccessDenied) or Cause(error.cause).scope is Scope.ASSIGNMENT:
        return None
    return Finding(reason, error.error_text)


def keeps_due_date(error: TransientError | PermanentError) -> bool:
    """Say whether the refusal may be about the name together with the due date."""
    return error.cause in _OF_THE_DAY


def name_taken(assignment_section_ids: Iterable[int]) -> Finding:
    """Return that the name is another assignment's still."""
    ids = ", ".join(map(str, assignment_section_ids))
    return Finding(Reason.NAME_TAKEN, f"PowerSchool assignment section {ids}")
