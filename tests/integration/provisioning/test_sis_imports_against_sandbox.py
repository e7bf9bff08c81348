"""SIS imports over real sockets: the client against the sandbox, with what goes wrong on the way."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import fakeredis
import httpx
import pytest

from shared.adapters.canvas import canvas_sis_imports
from shared.adapters.canvas.sis_import import CanvasSisImports
from shared.adapters.redis.keys import Keys
from shared.config import load
from shared.domain.provisioning.imports.sis_imports import ImportOptions, ImportState, SisFiles
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity, SisRow
from shared.errors import AccessDenied, NotFound, RequestRejected, TransientError
from shared.sandbox.canvas.app import create_app
from shared.sandbox.canvas.seed import CanvasSeed
from tests.integration.sandbox_server import served
from tests.manual_clock import ManualClock

NOON = datetime(2031, 10, 6, 19, 0, tzinfo=UTC)
OPTIONS = ImportOptions(drop_status="completed", user_remove_status="suspended", change_threshold=10)
IMPORTS = "/api/v1/accounts/1/sis_imports"


def data_set(entity: Entity, *rows: str) -> DataSet:
    """Return a data set from rows as they would stand in the file."""
    return DataSet(DataSetKey(entity), tuple(SisRow(tuple(row.split(","))) for row in rows))


def files(*data_sets: DataSet) -> SisFiles:
    """Return the data sets as the files of an import."""
    return [(found.key.entity, found.rows) for found in data_sets]


TERMS = data_set(Entity.TERMS, "100-3601,Fall,active,2031-08-11,2031-12-19")
COURSES = data_set(Entity.COURSES, "C1,SCI,Science,,100-3601,published")
SECTIONS = data_set(Entity.SECTIONS, "S1,C1,Period 1,active")
USERS = data_set(Entity.USERS, *(f"U{n},u{n}@sandbox.example,Student,{n},,student,active" for n in range(1, 31)))
ENROLLMENTS = data_set(Entity.ENROLLMENTS, *(f",S1,U{n},student,active" for n in range(1, 31)))


@dataclass
class Canvas:
    """A running sandbox, the client that imports into it, and its clock."""

    url: str
    imports: CanvasSisImports
    clock: ManualClock

    def set_faults(self, **faults: Any) -> None:
        httpx.put(f"{self.url}/_sandbox/faults", json=faults).raise_for_status()

    def imported(self, found: DataSet, options: ImportOptions = OPTIONS) -> ImportState:
        started = self.imports.start(files(found), found.key.entity, options)
        return self.imports.find(started.id).state

    def roster(self, entity: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = httpx.get(f"{self.url}/_sandbox/roster").json()[entity]
        return rows


@pytest.fixture
def canvas_of() -> Iterator[Callable[..., Canvas]]:
    clock = ManualClock(NOON)
    seed = CanvasSeed(provisioning_token="importer")
    with served(create_app(seed, clock)) as url, fakeredis.FakeRedis() as redis_client:
        opened = []

        def make(**settings: str) -> Canvas:
            given = {"URL": url, "TOKEN": seed.token, "PROVISIONING_TOKEN": seed.provisioning_token, **settings}
            environ = {f"PASSBACK_CANVAS_{name}": value for name, value in given.items()}
            opened.append(closing(canvas_sis_imports(load(environ), redis_client, Keys("test"), clock)))
            return Canvas(url, opened[-1].thing, clock)

        yield make
        for each in opened:
            each.__exit__()


@pytest.fixture
def canvas(canvas_of: Callable[..., Canvas]) -> Canvas:
    return canvas_of()


def test_a_district_is_provisioned(canvas: Canvas) -> None:
    """Data set after data set, the sandbox comes to hold what was sent; again, and nothing is imported."""
    everything = (TERMS, COURSES, SECTIONS, USERS, ENROLLMENTS)
    assert {canvas.imported(each) for each in everything} == {ImportState.IMPORTED}
    assert [row["user_id"] for row in canvas.roster("enrollments")] == sorted(f"U{n}" for n in range(1, 31))
    again = canvas.imports.start(files(ENROLLMENTS), "enrollments", OPTIONS)
    assert canvas.imports.find(again.id).state is ImportState.IMPORTED
    shown = httpx.get(f"{canvas.url}{IMPORTS}/{again.id}", headers={"Authorization": "Bearer importer"}).json()
    assert shown["data"]["counts"]["enrollments"] == 0


def test_an_upload_whose_answer_was_lost_is_found(canvas: Canvas) -> None:
    """The import exists although nobody was told: it is among the newest, by its data set."""
    canvas.set_faults(lose_response_after_commit=1, lose_response_path_prefix=IMPORTS)
    with pytest.raises(TransientError):
        canvas.imports.start(files(TERMS), "terms", OPTIONS)
    (found,) = canvas.imports.newest(5)
    assert (found.data_set_id, found.created_at) == ("terms", NOON)
    assert [row["term_id"] for row in canvas.roster("terms")] == ["100-3601"]


def test_sis_ids_change_and_users_are_found_by_them(canvas: Canvas) -> None:
    """Canvas says who has a SIS id, and that nobody has it any more."""
    assert canvas.imported(USERS) is ImportState.IMPORTED
    assert canvas.imported(data_set(Entity.SIS_ID_CHANGES, "U1,V1,user")) is ImportState.IMPORTED
    assert canvas.imports.login_of("V1") == "u1@sandbox.example"
    assert canvas.imports.login_of("U1") is None


def test_imports_of_others_are_seen(canvas: Canvas) -> None:
    """What runs and what waits is listed, whoever started it, and gone once it ended."""
    canvas.set_faults(sis_import_s=60)
    headers = {"Authorization": "Bearer importer", "Content-Type": "text/csv"}
    httpx.post(f"{canvas.url}{IMPORTS}", content="term_id,name,status\nT9,Old,active\n", headers=headers)
    ours = canvas.imports.start(files(TERMS), "terms", OPTIONS)
    canvas.clock.advance(timedelta(seconds=30))
    states = [(found.data_set_id, found.state) for found in canvas.imports.unfinished()]
    assert states == [("terms", ImportState.CREATED), (None, ImportState.IMPORTING)]
    canvas.clock.advance(timedelta(seconds=90))
    assert canvas.imports.unfinished() == ()
    assert canvas.imports.find(ours.id).state is ImportState.IMPORTED


def test_a_breach_of_the_threshold_is_seen(canvas: Canvas) -> None:
    """A shrunken upload ends with messages and says that it was not compared; nothing is dropped."""
    for each in (TERMS, COURSES, SECTIONS, USERS, ENROLLMENTS):
        canvas.imported(each)
    shrunken = replace(ENROLLMENTS, rows=ENROLLMENTS.rows[:20])
    started = canvas.imports.start(files(shrunken), "enrollments", OPTIONS)
    found = canvas.imports.find(started.id)
    assert (found.state, found.threshold_exceeded) == (ImportState.IMPORTED_WITH_MESSAGES, True)
    (error,) = canvas.imports.errors(found.id)
    assert (error.row, error.is_failure) == (None, False)
    assert {row["status"] for row in canvas.roster("enrollments")} == {"active"}


def test_row_errors_are_read_whole(canvas: Canvas) -> None:
    """More errors than fit on a page are all read, in their order, with the rows they are about."""
    for each in (TERMS, COURSES, SECTIONS):
        canvas.imported(each)
    strangers = data_set(Entity.ENROLLMENTS, *(f",S1,X{n},student,active" for n in range(150)))
    started = canvas.imports.start(files(strangers), "enrollments", OPTIONS)
    assert canvas.imports.find(started.id).state is ImportState.IMPORTED_WITH_MESSAGES
    errors = canvas.imports.errors(started.id)
    assert [error.row for error in errors] == list(range(2, 152))
    assert errors[7].row_info == ",S1,X7,student,active"


@pytest.mark.parametrize("state", ["aborted", "failed", "failed_with_messages"])
def test_imports_that_end_badly(canvas: Canvas, state: str) -> None:
    """Every other end is seen as what it is, and is final."""
    canvas.set_faults(sis_import_fates=[{"state": state}], sis_progress_as_text=True)
    found = canvas.imported(TERMS)
    assert (found.value, found.is_final, found.has_succeeded) == (state, True, False)


def test_a_configured_sub_account_imports_into_its_root(canvas_of: Callable[..., Canvas]) -> None:
    """The account that courses are searched in may be a sub-account."""
    assert canvas_of(ACCOUNT="2").imported(TERMS) is ImportState.IMPORTED


def test_a_token_without_the_right_is_denied(canvas_of: Callable[..., Canvas]) -> None:
    """Canvas's ordinary token may not import where there is another one for it."""
    with pytest.raises(AccessDenied):
        canvas_of(PROVISIONING_TOKEN="").imported(TERMS)


def test_unknown_imports_and_parameters_are_refused(canvas: Canvas) -> None:
    """An import that is not there is not found; an identifier that is too long is refused."""
    with pytest.raises(NotFound):
        canvas.imports.find(1)
    with pytest.raises(RequestRejected):
        canvas.imports.start(files(TERMS), "t" * 129, OPTIONS)
