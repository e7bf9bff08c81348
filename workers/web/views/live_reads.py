"""What pages and the API read from Canvas and PowerSchool while somebody waits: bounded in time, stored nowhere."""

from collections.abc import Collection
from datetime import timedelta

from shared.adapters.http.exchange import waits_at_most
from shared.domain.passback.takeover import Selection
from workers.container import Container
from workers.grade_passback.explain.response import ExplainQuery, Json
from workers.grade_passback.operations.preview import plan_preview
from workers.grade_passback.operations.takeover import TakeoverPlan
from workers.grade_passback.operations.totals_json import totals_json

# A page without names is better than a late one.
FOR_NAMES = timedelta(seconds=8)
# A whole page that reads both gradebooks: below the minute after which proxies end a request.
FOR_BOTH_SIDES = timedelta(seconds=45)


def live_explanation(service: Container, query: ExplainQuery) -> Json:
    """Return the explanation of both sides as they are now; the stored one with the error where they do not answer."""
    with waits_at_most(FOR_BOTH_SIDES):
        return service.explainer.explain(query)


def live_preview(service: Container, course_id: str, assignment_id: str | None = None) -> Json:
    """Return what a sync would do now. Raises the errors of `shared.errors`."""
    with waits_at_most(FOR_BOTH_SIDES):
        return plan_preview(service.course_reader, course_id, service.clock.now(), assignment_id)


def live_takeover_plan(service: Container, course_id: str, selection: Selection) -> TakeoverPlan:
    """Return what a takeover would do now. Raises the errors of `shared.errors`."""
    with waits_at_most(FOR_BOTH_SIDES):
        return service.takeover.plan(course_id, selection)


def course_totals(
    service: Container,
    course_id: str,
    student_sis_id: str | None = None,
    section_ids: Collection[str] | None = None,
) -> Json:
    """Return the totals of a course's students, or of one, with the causes of their differences.

    With `section_ids`, return those alone who are in one of these Canvas sections: what a teacher of some sections of
    the course may see. Which section is which is read with the totals, since SIS ids can move. The caller checks that
    the user may see scores. Raises the errors of `shared.errors`.
    """
    with waits_at_most(FOR_BOTH_SIDES):
        totals = service.totals.read(course_id, student_sis_id)
    return totals_json(totals if section_ids is None else totals.of_sections(section_ids))
