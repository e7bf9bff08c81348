"""Rules for renames that PowerSchool refuses or that wait for another one: scores are written all the same."""

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

# PowerSchool refuses the name together with the due date.
_NAME_AND_DUE_DATE = frozenset({Cause.DUPLICATE, Cause.DUE_DATE})


class NamesInUse:
    """The names and due dates that the assignments of the sections have while a plan is applied.

    The plan relies on its own order: if a rename fails, the name is not free for the next assignment.
    """

    def __init__(self, actual: Iterable[ActualAssignment]) -> None:
        self._names: dict[tuple[int, int], tuple[str, date]] = {}
        for a in actual:
            self.written(a.section_dcid, a.assignment_section_id, a.name, a.due_date)

    def written(self, section_dcid: int, assignment_section_id: int, name: str, due_date: date) -> None:
        """Record the name and due date that were written."""
        self._names[section_dcid, assignment_section_id] = (normalize_name(name), due_date)

    def in_the_way(self, step: CreateStep | UpdateStep, link: Link | None) -> list[int]:
        """Return the assignment section ids that have the name that the step would give.

        An assignment that has the name already, or had it before a temporary one, conflicts only with one of the same
        due date.
        """
        desired, name = step.desired, normalize_name(step.desired.name)
        updated, former_names = None, set()
        if isinstance(step, UpdateStep):
            updated = step.actual.assignment_section_id
            former_names = {self._names.get((desired.section_dcid, updated), ("", desired.due_date))[0]}
            former_names |= {normalize_name(link.name)} if link is not None else set()
        return sorted(
            id_
            for (section_dcid, id_), (other, due_date) in self._names.items()
            if section_dcid == desired.section_dcid
            and id_ != updated
            and other == name
            and (name not in former_names or due_date == desired.due_date)
        )


def without_rename(step: UpdateStep, link: Link, *, same_due_date: bool) -> UpdateStep | None:
    """Return the update without the name, and with `same_due_date` without the due date; None if nothing is left.

    An assignment that has a temporary name gets the name of its link back.
    """
    is_temporary = normalize_name(step.actual.name) == normalize_name(temporary_name(step.key.assignment_id))
    desired = replace(
        step.desired,
        name=link.name if is_temporary else step.actual.name,
        due_date=step.actual.due_date if same_due_date else step.desired.due_date,
    )
    unchanged = {OwnedField.NAME, OwnedField.DUE_DATE} if same_due_date else {OwnedField.NAME}
    changed = tuple(field for field in step.changed_fields if field not in unchanged)
    fields = ((OwnedField.NAME,) if is_temporary else ()) + changed
    return UpdateStep(step.actual, desired, fields) if fields else None


def refusal_of_name(step: object, error: TransientError | PermanentError) -> Finding | None:
    """Return why PowerSchool refused a rename, None if the error is about something else.

    A refusal seldom names the field: an update that would rename is tried again without the name.
    """
    if not isinstance(step, UpdateStep) or OwnedField.NAME not in step.changed_fields:
        return None
    if not isinstance(error, RequestRejected) or isinstance(error, NotFound | AccessDenied):
        return None
    reason = REASON_OF_CAUSE.get(error.cause)
    if reason is None or Cause(error.cause).scope is Scope.ASSIGNMENT:
        return None
    return Finding(reason, error.error_text)


def includes_due_date(error: TransientError | PermanentError) -> bool:
    """Say whether the refusal may be about the name together with the due date."""
    return error.cause in _NAME_AND_DUE_DATE


def name_taken(assignment_section_ids: Iterable[int]) -> Finding:
    """Return the finding that other assignments still have the name."""
    ids = ", ".join(map(str, assignment_section_ids))
    return Finding(Reason.NAME_TAKEN, f"PowerSchool assignment section {ids}")
