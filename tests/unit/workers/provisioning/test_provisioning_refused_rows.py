"""What Canvas refused is offered again the next night: these rows alone, not the district once more."""

from datetime import timedelta

import pytest

from shared.domain.provisioning.imports.row_errors import RowError
from shared.domain.provisioning.imports.sis_imports import ImportState
from shared.domain.provisioning.rows.sis_rows import Entity
from shared.domain.provisioning.run import Run, RunCause, RunKind, RunState
from tests.unit.workers.provisioning.provisioning_kit import Campus, users

DAY = timedelta(days=1)
TOLD = RowError("users.csv", 2, "login taken", row_info="4,4,Student,No. 4,,student,active")
UNTOLD = RowError("users.csv", 2, "login taken")


def refusing(error: RowError) -> Campus:
    """Return an installation whose Canvas refused a new user, and which is well again."""
    campus = Campus(remaster_days=7)
    campus.has(users(*range(4)))
    campus.plan(users(*range(5)))
    campus.imports.ends, campus.imports.messages = [ImportState.IMPORTED_WITH_MESSAGES], [error]
    campus.ask()
    campus.imports.started.clear()
    campus.imports.imports.clear()
    return campus


def night(campus: Campus) -> Run:
    """Let the run of the next night come to its end."""
    campus.clock.advance(DAY)
    return campus.over(campus.runs.open(RunKind.ROSTER, RunCause.SCHEDULE, campus.clock.now()))


def sent(campus: Campus) -> list[tuple[str, list[str], bool]]:
    """Return what was sent: under which name, which users, and whether it was compared."""
    return [
        (name, [row.values[0] for row in files.rows(Entity.USERS)], not options.remaster)
        for files, name, options in campus.imports.started
    ]


def test_a_refused_row_is_offered_again_alone() -> None:
    """Not compared with anything, so that it is taken although it did not change, and nothing ends for it."""
    campus = refusing(TOLD)
    assert night(campus).state is RunState.DONE
    assert sent(campus) == [("passback:again", ["4"], False)]
    assert campus.agrees()
    campus.imports.started.clear()
    night(campus)
    assert sent(campus) == []


def test_a_run_by_day_does_not_offer_it() -> None:
    """Nor does one of the same day: a person has to mend something first."""
    campus = refusing(TOLD)
    campus.ask()
    campus.over(campus.runs.open(RunKind.ROSTER, RunCause.SCHEDULE, campus.clock.now()))
    assert sent(campus) == []


def test_it_is_offered_every_night_until_it_is_taken() -> None:
    """And its message is there to read each time."""
    campus = refusing(TOLD)
    for _ in range(2):
        campus.imports.ends = [ImportState.IMPORTED_WITH_MESSAGES]
        run = night(campus)
        assert [trouble.error for trouble in campus.runs.messages(run.id)] == [TOLD]
    assert [name for name, _, _ in sent(campus)] == ["passback:again"] * 2


def test_an_import_of_other_rows_does_not_forget_it() -> None:
    """Canvas compares, and to it the refused row did not change: it is offered beside."""
    campus = refusing(TOLD)
    campus.plan(users(*range(6)))
    campus.ask()
    campus.imports.started.clear()
    campus.imports.imports.clear()
    night(campus)
    assert sent(campus) == [("passback:again", ["4"], False)]


def test_a_row_that_is_gone_is_not_offered() -> None:
    """Whoever left PowerSchool since is nobody to bring."""
    campus = refusing(TOLD)
    campus.plan(users(*range(4)))
    night(campus)
    assert [name for name, _, _ in sent(campus)] == ["passback:district"]


@pytest.mark.parametrize("state", [ImportState.FAILED, ImportState.FAILED_WITH_MESSAGES])
def test_a_failure_of_the_offer_is_tried_again(state: ImportState) -> None:
    """What Canvas compares with stays as it is."""
    campus = refusing(TOLD)
    campus.imports.ends, campus.imports.messages = [state], []
    assert night(campus).state is RunState.DONE
    assert [name for name, _, _ in sent(campus)] == ["passback:again"] * 2
    assert all(mark.attempted is None for mark in campus.runs.data_set_states())


def test_where_canvas_does_not_say_which_row_all_are_sent_whole() -> None:
    """The import that had the error, once."""
    campus = refusing(UNTOLD)
    night(campus)
    assert sent(campus) == [("passback:district", ["0", "1", "2", "3", "4"], False)]
