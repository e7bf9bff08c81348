from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
import redis
from scripted_remote import ScriptedRemote, answer, text

from shared.adapters.canvas import PROBE, canvas_sis_imports
from shared.adapters.canvas.sis_import import CanvasSisImports
from shared.adapters.redis.keys import Keys
from shared.config import Settings
from shared.domain.provisioning.imports.row_errors import RowError
from shared.domain.provisioning.imports.sis_imports import ImportOptions, ImportState
from shared.domain.provisioning.rows.sis_rows import Entity, SisRow
from shared.errors import (
    AccessDenied,
    NotFound,
    RequestRejected,
    ServiceUnavailable,
    TransientError,
    UnexpectedResponse,
)
from tests.manual_clock import ManualClock

ROOT = {"id": 1, "name": "District", "root_account_id": None}
URL = "/api/v1/accounts/1/sis_imports"
FOUND: Mapping[str, Any] = {
    "id": "3001",
    "created_at": "2031-10-06T19:00:00Z",
    "progress": "100",
    "workflow_state": "imported_with_messages",
    "data": {"counts": {"terms": 2, "courses": 0}},
    "diffing_data_set_identifier": "terms",
    "diffing_threshold_exceeded": False,
    "diffed_against_import_id": 3000,
}
TERMS = [(Entity.TERMS, (SisRow(("100-3601", "Fall", "active", "2031-08-11", "2031-12-19")),))]
OPTIONS = ImportOptions(drop_status="completed", user_remove_status="suspended", change_threshold=10)
NAME = "Zebulon Quartermain"

Make = Callable[..., CanvasSisImports]


@pytest.fixture
def imports_of(
    settings_of: Callable[..., Settings],
    redis_client: redis.Redis,
    keys: Keys,
    clock: ManualClock,
    remote: ScriptedRemote,
) -> Make:
    remote.on("GET", "/api/v1/accounts/self", answer(ROOT))

    def make(**changes: str) -> CanvasSisImports:
        return canvas_sis_imports(settings_of(**changes), redis_client, keys, clock, transport=remote.transport)

    return make


@pytest.fixture
def imports(imports_of: Make) -> CanvasSisImports:
    return imports_of()


def test_a_data_set_is_uploaded_as_a_zip(imports: CanvasSisImports, remote: ScriptedRemote) -> None:
    """The zip is the body; how to compare it is in the parameters."""
    remote.on("POST", URL, answer(FOUND))
    assert imports.start(TERMS, "terms", OPTIONS).id == 3001
    (request,) = remote.asked("POST", URL)
    assert request.headers["Content-Type"] == "application/zip"
    assert request.content.startswith(b"PK")
    assert dict(request.url.params) == {
        "import_type": "instructure_csv",
        "extension": "zip",
        "diffing_data_set_identifier": "terms",
        "diffing_drop_status": "completed",
        "diffing_user_remove_status": "suspended",
        "change_threshold": "10",
    }


def test_a_remaster_says_so(imports: CanvasSisImports, remote: ScriptedRemote) -> None:
    """Only a remaster has its parameter."""
    remote.on("POST", URL, answer(FOUND))
    imports.start(TERMS, "terms", ImportOptions("completed", "suspended", 10, remaster=True))
    assert remote.asked("POST", URL)[0].url.params["diffing_remaster_data_set"] == "true"


def test_an_import_is_read(imports: CanvasSisImports, remote: ScriptedRemote) -> None:
    """Everything that provisioning asks about is read."""
    remote.on("GET", f"{URL}/3001", answer(FOUND))
    found = imports.find(3001)
    assert (found.id, found.state) == (3001, ImportState.IMPORTED_WITH_MESSAGES)
    assert found.data_set_id == "terms"


@pytest.mark.parametrize("progress", [42, "42", None, "", "42.5", "half"])
def test_progress_is_not_read(imports: CanvasSisImports, remote: ScriptedRemote, progress: object) -> None:
    """Progress may come as anything."""
    remote.on("GET", f"{URL}/3001", answer({**FOUND, "progress": progress}))
    assert imports.find(3001).id == 3001


def test_a_bare_import_is_read(imports: CanvasSisImports, remote: ScriptedRemote) -> None:
    """An import that has not started may lack data, counts and all that diffing adds."""
    bare = {"id": 3001, "created_at": "2031-10-06 12:00:00 -0700", "workflow_state": "created", "data": None}
    remote.on("GET", f"{URL}/3001", answer(bare))
    found = imports.find(3001)
    assert (found.state, found.threshold_exceeded) == (ImportState.CREATED, False)


def test_an_unknown_state_counts_as_under_way(imports: CanvasSisImports, remote: ScriptedRemote) -> None:
    """A state that Canvas may add later does not look ended."""
    remote.on("GET", f"{URL}/3001", answer({**FOUND, "workflow_state": "pondering"}))
    assert not imports.find(3001).state.is_final


def test_the_newest_imports_are_read_page_by_page(imports: CanvasSisImports, remote: ScriptedRemote) -> None:
    """Pages are followed until there are enough, and no further."""
    more = {"Link": f'<https://canvas.test{URL}?page=2>; rel="next"'}
    pages = [answer({"sis_imports": [{**FOUND, "id": n} for n in ids]}, **more) for ids in ((9, 8), (7, 6), (5, 4))]
    remote.on("GET", URL, *pages)
    assert [found.id for found in imports.newest(3)] == [9, 8, 7]
    assert len(remote.asked("GET", URL)) == 2


def test_unfinished_imports_are_asked_for_by_state(imports: CanvasSisImports, remote: ScriptedRemote) -> None:
    """Running and waiting imports are asked for; what Canvas lists beyond them is left out."""
    listed = [{**FOUND, "id": 9, "workflow_state": "created"}, {**FOUND, "id": 8}]
    remote.on("GET", URL, answer({"sis_imports": listed}))
    assert [found.id for found in imports.unfinished()] == [9]
    asked = remote.asked("GET", URL)[0].url.params.get_list("workflow_state[]")
    assert asked == ["initializing", "created", "importing", "cleanup_batch", "restoring"]


def test_errors_know_failures(imports: CanvasSisImports, remote: ScriptedRemote) -> None:
    """Row errors and warnings come with their rows; failures are told apart by asking for them alone."""
    of_row = {"file": "users.csv", "message": "No login_id given for user 7", "row": "4", "row_info": "7,,,,,,active"}
    of_file = {"file": "terms.csv", "message": "Invalid UTF-8", "row": None, "row_info": None}
    everything = answer({"sis_import_errors": [of_row, of_file]})
    remote.on("GET", f"{URL}/3001/errors", everything, answer({"sis_import_errors": [of_file]}))
    assert imports.errors(3001) == (
        RowError("users.csv", 4, "No login_id given for user 7", row_info="7,,,,,,active"),
        RowError("terms.csv", None, "Invalid UTF-8", is_failure=True),
    )


def test_without_errors_failures_are_not_asked_for(imports: CanvasSisImports, remote: ScriptedRemote) -> None:
    """No errors cost one request."""
    remote.on("GET", f"{URL}/3001/errors", answer({"sis_import_errors": []}))
    assert imports.errors(3001) == ()
    assert len(remote.asked("GET", f"{URL}/3001/errors")) == 1


def test_a_sub_accounts_imports_go_to_its_root(imports_of: Make, remote: ScriptedRemote) -> None:
    """Whatever account is configured, its root account takes the imports; it is asked for once."""
    remote.on("GET", "/api/v1/accounts/77", answer({"id": "77", "root_account_id": "1"}))
    remote.on("GET", f"{URL}/3001", answer(FOUND))
    imports = imports_of(canvas_account="77")
    assert imports.find(3001) == imports.find(3001)
    assert len(remote.asked("GET", "/api/v1/accounts/77")) == 1


def test_an_account_that_may_not_be_read_is_used_as_it_is(imports_of: Make, remote: ScriptedRemote) -> None:
    """A scoped key without the account's scope imports into the account that is configured."""
    remote.on("GET", "/api/v1/accounts/self", answer({"errors": [{"message": "Insufficient scopes"}]}, 401))
    remote.on("GET", "/api/v1/accounts/self/sis_imports/3001", answer(FOUND))
    assert imports_of().find(3001).id == 3001


def test_the_provisioning_token_is_used(imports_of: Make, remote: ScriptedRemote) -> None:
    """Imports use the provisioning token; without one, Canvas's ordinary token."""
    remote.on("GET", f"{URL}/3001", answer(FOUND))
    for changes, token in (({"canvas_provisioning_token": "importer"}, "importer"), ({}, "canvas-secret")):
        imports_of(**changes).find(3001)
        assert remote.requests[-1].headers["Authorization"] == f"Bearer {token}"


@pytest.mark.parametrize(
    ("response", "kind", "words"),
    [
        (
            answer({"errors": ["SIS imports can only be executed on root accounts"]}, 400),
            RequestRejected,
            "SIS imports can only be executed on root accounts",
        ),
        (
            answer({"errors": ["SIS imports are not enabled for this account"]}, 403),
            AccessDenied,
            "SIS imports are not enabled for this account",
        ),
        (answer({"errors": [{"message": "The specified resource does not exist."}]}, 404), NotFound, "does not exist"),
        (answer({"message": "Invalid diffing_drop_status"}, 400), RequestRejected, "Invalid diffing_drop_status"),
    ],
)
def test_refusals_have_canvas_s_words(
    imports: CanvasSisImports, remote: ScriptedRemote, response: httpx.Response, kind: type[RequestRejected], words: str
) -> None:
    """What Canvas says about an upload is kept in the refusal."""
    remote.on("POST", URL, response)
    with pytest.raises(kind) as refused:
        imports.start(TERMS, "terms", OPTIONS)
    assert words in refused.value.error_text


def test_a_lost_answer_is_transient(imports: CanvasSisImports, remote: ScriptedRemote) -> None:
    """An upload without an answer is neither done nor refused."""
    remote.on("POST", URL, httpx.ReadError("reset")).on("GET", PROBE, answer({"id": "1"}))
    with pytest.raises(TransientError):
        imports.start(TERMS, "terms", OPTIONS)
    assert len(remote.asked("POST", URL)) == 1


def test_throttling_is_not_a_refusal(imports: CanvasSisImports, remote: ScriptedRemote) -> None:
    """A 403 that says so is a pause."""
    remote.on("POST", URL, text("403 Forbidden (Rate Limit Exceeded)", 403))
    with pytest.raises(ServiceUnavailable):
        imports.start(TERMS, "terms", OPTIONS)


def test_no_error_quotes_a_row(imports: CanvasSisImports, remote: ScriptedRemote) -> None:
    """An unusable list of errors names the field that is wrong, not what is in it."""
    broken = {"sis_import_errors": [{"message": f"{NAME} has no login", "row": NAME, "row_info": f"7,{NAME}"}]}
    remote.on("GET", f"{URL}/3001/errors", answer(broken))
    with pytest.raises(UnexpectedResponse) as unexpected:
        imports.errors(3001)
    assert str(unexpected.value) == ("GET /api/v1/accounts/{account_id}/sis_imports/{id}/errors: 200, no usable row")
    assert NAME not in repr(unexpected.value)
