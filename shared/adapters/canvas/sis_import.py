"""Canvas's SIS Import: the port `SisImports`, its CSV files in a zip, and what comes over the wire.

Source: Canvas "SIS Import Format", "SIS Imports API", "SIS Import Errors API", Accounts API. CSV is UTF-8 with a header
row; the content of a zip is less than 100 times its size.
"""

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Final

from pydantic import AliasPath, AwareDatetime, BeforeValidator, Field, TypeAdapter

from shared.adapters.canvas.pagination import PER_PAGE, PagedApi
from shared.adapters.http.client import Params
from shared.adapters.http.error_text import redact
from shared.adapters.http.wire import Id, Wire, none_if_blank, parse_timestamp
from shared.domain.provisioning.imports.row_errors import RowError
from shared.domain.provisioning.imports.sis_imports import ImportOptions, ImportState, SisFiles, SisImport
from shared.domain.provisioning.rows.sis_rows import HEADERS, Entity, SisRow
from shared.errors import AccessDenied, NotFound, RequestRejected


def _plain_text(value: object) -> object:
    """A row is repeated as text, or as a list or an object by newer versions."""
    return "" if value is None else value if isinstance(value, str) else str(value)


Text = Annotated[str, BeforeValidator(_plain_text)]


class AccountWire(Wire):
    """`GET /api/v1/accounts/:id`: a root account has no `root_account_id`."""

    id: Id
    root_account_id: Annotated[Id | None, BeforeValidator(none_if_blank)] = None

    @property
    def root_id(self) -> str:
        """The id of the root account it belongs to, or is."""
        return self.root_account_id or self.id


class SisImportWire(Wire):
    """An import."""

    id: int
    workflow_state: str
    created_at: Annotated[AwareDatetime, BeforeValidator(parse_timestamp)]
    diffing_data_set_identifier: str | None = None
    diffing_threshold_exceeded: bool | None = None
    # The user's name is not read.
    user_id: Id | None = Field(None, validation_alias=AliasPath("user", "id"))

    @property
    def state(self) -> ImportState:
        """The state; one that Canvas may add later counts as under way, so that nothing is started beside it."""
        known = {state.value: state for state in ImportState}
        return known.get(self.workflow_state, ImportState.IMPORTING)

    def to_domain(self) -> SisImport:
        """Return the import."""
        return SisImport(
            id=self.id,
            state=self.state,
            created_at=self.created_at,
            data_set_id=self.diffing_data_set_identifier or None,
            threshold_exceeded=bool(self.diffing_threshold_exceeded),
            user_id=self.user_id or "",
        )


class SisImportErrorWire(Wire):
    """What is wrong with a row, a file, or the whole import."""

    file: Text = ""
    row: Annotated[int | None, BeforeValidator(none_if_blank)] = None
    message: Text = ""
    row_info: Text = ""

    def to_domain(self, *, is_failure: bool) -> RowError:
        """Return the error; of its message, which may quote a name or a login, the words that Canvas uses itself."""
        return RowError(self.file, self.row, redact(self.message), is_failure=is_failure, row_info=self.row_info)


_ACCOUNT = TypeAdapter(AccountWire)
_IMPORT = TypeAdapter(SisImportWire)
_IMPORTS = TypeAdapter(list[SisImportWire])
_ERRORS = TypeAdapter(list[SisImportErrorWire])


MEDIA_TYPE: Final = "application/zip"
# Half of what Canvas accepts: very repetitive rows are packed uncompressed instead.
MAX_RATIO: Final = 50
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_PRIVATE_FILE: Final = 0o600 << 16


def zipped(files: SisFiles) -> bytes:
    """Return the zip, the same bytes for the same rows. It holds a file per kind of row, named like the entity."""
    contents = [(f"{entity}.csv", _csv(entity, rows)) for entity, rows in files]
    packed = _packed(contents, zipfile.ZIP_DEFLATED)
    if sum(len(content) for _, content in contents) < MAX_RATIO * len(packed):
        return packed
    return _packed(contents, zipfile.ZIP_STORED)


def _csv(entity: Entity, rows: Iterable[SisRow]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADERS[entity])
    writer.writerows(row.values for row in rows)
    return text.getvalue().encode()


def _packed(contents: Iterable[tuple[str, bytes]], method: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in contents:
            member = zipfile.ZipInfo(name, date_time=_EARLIEST)
            member.create_system, member.external_attr, member.compress_type = _UNIX, _PRIVATE_FILE, method
            archive.writestr(member, content)
    return packed.getvalue()


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
        return response.parse(_IMPORT).to_domain()

    def find(self, import_id: int) -> SisImport:
        """Return an import. Raises `NotFound`. Source: Canvas REST API, `GET …/sis_imports/:id`."""
        response = self._canvas.get(f"{IMPORTS}/{{id}}", {**self._ids(), "id": str(import_id)})
        return response.parse(_IMPORT).to_domain()

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

    def login_of(self, sis_user_id: str) -> str | None:
        """Return the login of this SIS id's user, empty where the token may not see it; None if there is no such user.

        Raises: AccessDenied. Source: Canvas REST API, `GET /api/v1/users/:id`, "SIS IDs".
        """
        try:
            response = self._canvas.get("/api/v1/users/{id}", {"id": f"sis_user_id:{sis_user_id}"})
        except NotFound:
            return None
        # Canvas shows the login to those who may manage logins.
        login = response.member("login_id")
        return login if isinstance(login, str) else ""

    def close(self) -> None:
        """Close the connections."""
        self._canvas.close()

    def _imports(self, params: Params) -> Iterator[SisImport]:
        for page in self._canvas.pages(IMPORTS, self._ids(), params):
            yield from (found.to_domain() for found in page.parse(_IMPORTS, page.member("sis_imports")))

    def _errors(self, import_id: int, params: Params) -> Iterator[SisImportErrorWire]:
        ids = {**self._ids(), "id": str(import_id)}
        for page in self._canvas.pages(f"{IMPORTS}/{{id}}/errors", ids, params):
            yield from page.parse(_ERRORS, page.member("sis_import_errors"))

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
                self._root_account = response.parse(_ACCOUNT).root_id
        return {"account_id": self._root_account}


def _remove(failures: Counter[SisImportErrorWire], error: SisImportErrorWire) -> bool:
    """Remove the error from the failures; say whether it was one of them."""
    if not failures[error]:
        return False
    failures[error] -= 1
    return True
