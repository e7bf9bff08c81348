"""Takeovers against both sandboxes over HTTP: each answer that PowerSchool may give to a change of another's work."""

from collections.abc import Iterator

import pytest

from shared.domain.passback.audit import HistoryQuery, matching
from shared.domain.passback.course_state import sections_of
from shared.domain.passback.rules.reasons import Reason
from shared.domain.passback.takeover_run import TakeoverMode, TakeoverState
from tests.benchmarks.passback.takeover import VENDOR, Bench, vendors_bench

pytestmark = [pytest.mark.slow, pytest.mark.redis]

ASSIGNMENTS = 8


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Three courses whose vendor made every assignment; synced once, so that every name is taken."""
    with vendors_bench(courses=3, assignments=ASSIGNMENTS, ambiguous=0) as one:
        one.sync_all()
        one.stage.clear_writes()
        assert one.name_taken() == 3 * ASSIGNMENTS
        yield one


def act(bench: Bench, **action: object) -> None:
    """Do something in the sandbox PowerSchool as its administrator or a teacher."""
    bench.stage.http.post(f"{bench.stage.powerschool_url}/_sandbox/act", json=action).raise_for_status()


def reasons(bench: Bench, course_id: str) -> set[Reason]:
    record = bench.service.records.course(course_id)
    return {finding.reason for _, section in sections_of(record) for finding in section.findings}


@pytest.mark.parametrize("status", [403, 409])
@pytest.mark.parametrize("may", ["none", "scores"])
def test_the_first_refusal_stops_the_run(bench: Bench, may: str, status: int) -> None:
    """Whatever its status, nothing of the refused is changed, no dead letter is left, and other courses are untouched.

    With scores permitted and fields refused, the refusal comes with the first field that differs.
    """
    act(bench, do="set_plugin", foreign_changes=may, foreign_refusal=status)
    before = {row["assignment_section_id"]: row["name"] for row in bench.stage.gradebook()}
    run = bench.run(TakeoverMode.LINK)
    first, *others = bench.courses
    assert run.state is TakeoverState.STOPPED
    assert f"plugin {VENDOR}" in run.message
    assert not any(bench.service.links.of_course(course_id) for course_id in others)
    assert Reason.TAKEOVER_REFUSED in reasons(bench, first)
    assert bench.service.dead_letters.count() == 0
    assert {row["assignment_section_id"]: row["name"] for row in bench.stage.gradebook()} == before
    kinds = {write["kind"] for write in bench.stage.writes()}
    assert kinds <= ({"scores"} if may == "scores" else set())
    linked = bench.service.links.of_course(first).values()
    assert all(link.taken_over and link.taken_over.is_written for link in linked)


def test_once_it_is_permitted_the_run_goes_on(bench: Bench) -> None:
    """Everything is linked in the end, and what was refused comes with another run."""
    act(bench, do="set_plugin", foreign_changes="none")
    assert bench.run(TakeoverMode.LINK).state is TakeoverState.STOPPED
    act(bench, do="set_plugin", foreign_changes="all")
    assert bench.run(TakeoverMode.LINK).state is TakeoverState.DONE
    bench.sync_due()
    bench.run(TakeoverMode.LINK)
    bench.sync_due()
    bench.sync_all()
    assert bench.name_taken() == 0
    assert len(bench.stage.gradebook()) == 3 * ASSIGNMENTS


def test_the_history_has_before_and_after_with_the_person(bench: Bench) -> None:
    """What a takeover's sync replaced: fields and scores, and who asked."""
    bench.run(TakeoverMode.LINK)
    bench.sync_due()
    entries = list(matching(bench.service.audit.of_course(bench.courses[0]), HistoryQuery(actor="benchmark")))
    fields = {change.field: change.before for entry in entries for change in entry.fields}
    assert fields["description"] == "<p>Made by the vendor</p>"
    scores = [change for entry in entries for change in entry.scores]
    assert scores
    assert all(change.before is not None and change.after is not None for change in scores)
    assert {cause for entry in entries for cause in entry.occasion.causes} == {"takeover"}


def test_a_teachers_assignment_of_two_classes_stays_apart(bench: Bench) -> None:
    """PowerSchool would change it in both: its list says so."""
    (row, *_) = [r for r in bench.stage.gradebook() if r["section_dcid"] == 60_001]
    act(bench, do="delete", assignment_section_id=row["assignment_section_id"])
    act(
        bench, do="create", section_dcid=60_001, also_in=[60_002], name=row["name"], due_date=row["due_date"],
        points=row["points"], category_id=row["category_id"], created_by_plugin=VENDOR,
    )  # fmt: skip
    run = bench.run(TakeoverMode.DRY_RUN)
    # In the second class it has the name of another one, or of none.
    assert run.counts.apart.get("other_sections", 0) >= 1
    assert run.counts.linked >= 3 * ASSIGNMENTS - 2
