"""Canvas's SIS Import: the port `SisImports`."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from shared.adapters.canvas.pagination import PER_PAGE, PagedApi
from shared.adapters.canvas.sis_import import wire
from shared.adapters.canvas.sis_import.csv_files import MEDIA_TYPE, zipped
from shared.adapters.canvas.sis_import.wire import SisImportErrorWire
from shared.adapters.http.client import Params
from shared.domain.provisioning.imports.row_errors import RowError
from shared.domain.provisioning.imports.sis_imports import ImportOptions, ImportState, SisFiles, SisImport
from shared.errors import AccessDenied, NotFound, RequestRejected
from shared.ports.provisioning import CanvasUser

IMPORTS = "/api/v1/accounts/{account_id}/sis_imports"
ACCOUNT = "/api/v1/accounts/{account_id}"
MAX_PER_PAGE = 100
UNFINISHED = tuple(state for state in ImportState if not state.is_final)


class CanvasSisImports:
    """Thread-safe. Reads the root account with its first request.

    `account` may be any account of the district, or `self`: imports are taken on the root account alone. Its errors
    never quote a row: only what `errors` returns has messages about rows.
    """

    def __init__(self, canvas: PagedApi, account: str) -> None:
        self._canvas = canvas
        self._account = account
        self._root_account: str | None = None

    def start(self, files: SisFiles, data_set_id: str, options: ImportOptions) -> SisImport:
        """Upload the files of an import in a zip. Not safe to repeat: record what is started first, then search for it.

        Raises: TransientError where no response came: the import may exist all the same. AccessDenied where imports are
        not enabled or the token lacks the right. Source: Canvas REST API, `POST …/sis_imports` with a raw body.
        """
        params = [
            ("import_type", "instructure_csv"),
            ("extension", "zip"),
            ("diffing_data_set_identifier", data_set_id),
            ("diffing_drop_status", options.drop_status),
            ("diffing_user_remove_status", options.user_remove_status),
            ("change_threshold", str(options.change_threshold)),
            *([("diffing_remaster_data_set", "true")] if options.remaster else []),
        ]
        headers = {"Content-Type": MEDIA_TYPE}
        response = self._canvas.send(
            "POST", IMPORTS, self._ids(), params=params, content=zipped(files), headers=headers
        )
        return response.parse(wire.IMPORT).to_domain()

    def find(self, import_id: int) -> SisImport:
        """Return an import. Raises `NotFound`. Source: Canvas REST API, `GET …/sis_imports/:id`."""
        response = self._canvas.get(f"{IMPORTS}/{{id}}", {**self._ids(), "id": str(import_id)})
        return response.parse(wire.IMPORT).to_domain()

    def newest(self, limit: int) -> Sequence[SisImport]:
        """Return the newest imports, whoever started them, the newest first.

        Source: Canvas REST API, `GET …/sis_imports`, which lists the newest first (sis_imports_api_controller.rb).
        """
        params = [("per_page", str(min(limit, MAX_PER_PAGE)))]
        return tuple(islice(self._imports(params), limit))

    def unfinished(self) -> Sequence[SisImport]:
        """Return the imports that run or wait for their turn, whoever started them, the newest first."""
        params = [*(("workflow_state[]", state.value) for state in UNFINISHED), PER_PAGE]
        # A Canvas that does not know the parameter lists all of them.
        return tuple(found for found in self._imports(params) if not found.state.is_final)

    def missing_accounts(self, sis_ids: Collection[str]) -> frozenset[str]:
        """Return the SIS ids of which Canvas has no account; none that the token may not look at.

        Source: Canvas REST API, `GET /api/v1/accounts/sis_account_id:...`; one request each.
        """
        return frozenset(sis_id for sis_id in sorted(sis_ids) if not self._has_account(sis_id))

    def _has_account(self, sis_id: str) -> bool:
        try:
            self._canvas.get(ACCOUNT, {"account_id": f"sis_account_id:{sis_id}"})
        except NotFound:
            return False
        except AccessDenied:
            # Unknown. If there is no such account, the import reports it for each of its courses.
            return True
        return True

    def errors(self, import_id: int) -> Sequence[RowError]:
        """Return every row error and warning; Canvas deletes them after 30 days.

        Canvas does not say in an error whether it is a failure, but lists failures alone: a second request.
        Source: Canvas REST API, `GET …/sis_imports/:id/errors`.
        """
        everything = list(self._errors(import_id, [PER_PAGE]))
        failures = Counter(self._errors(import_id, [("failure", "true"), PER_PAGE]) if everything else ())
        return tuple(error.to_domain(is_failure=_remove(failures, error)) for error in everything)

    def user(self, sis_user_id: str) -> CanvasUser | None:
        """Return the user of this SIS id; None if there is none.

        Raises: AccessDenied. Source: Canvas REST API, `GET /api/v1/users/:id`, "SIS IDs".
        """
        try:
            response = self._canvas.get("/api/v1/users/{id}", {"id": f"sis_user_id:{sis_user_id}"})
        except NotFound:
            return None
        # Canvas shows the login to those who may manage logins.
        login = response.member("login_id")
        return CanvasUser(login if isinstance(login, str) else None)

    def close(self) -> None:
        """Close the connections."""
        self._canvas.close()

    def _imports(self, params: Params) -> Iterator[SisImport]:
        for page in self._canvas.pages(IMPORTS, self._ids(), params):
            yield from (found.to_domain() for found in page.parse(wire.IMPORTS, page.member("sis_imports")))

    def _errors(self, import_id: int, params: Params) -> Iterator[SisImportErrorWire]:
        ids = {**self._ids(), "id": str(import_id)}
        for page in self._canvas.pages(f"{IMPORTS}/{{id}}/errors", ids, params):
            yield from page.parse(wire.ERRORS, page.member("sis_import_errors"))

    def _ids(self) -> dict[str, str]:
        """Return the id of the root account, which is read once.

        It is not documented that `self` works below `accounts`. Where the account may not be read, it is used as
        it was configured, and Canvas rejects the import where that is wrong.
        """
        if self._root_account is None:
            try:
                response = self._canvas.get(ACCOUNT, {"account_id": self._account})
            except RequestRejected:
                self._root_account = self._account
            else:
                self._root_account = response.parse(wire.ACCOUNT).root_id
        return {"account_id": self._root_account}


def _remove(failures: Counter[SisImportErrorWire], error: SisImportErrorWire) -> bool:
    """Remove the error from the failures; say whether it was one of them."""
    if not failures[error]:
        return False
    failures[error] -= 1
    return True
