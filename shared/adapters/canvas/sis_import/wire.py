"""SIS imports and their errors as they come over the wire.

Source: Canvas "SIS Imports API" (SisImport), "SIS Import Errors API" (SisImportError), Accounts API.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AliasPath, AwareDatetime, BeforeValidator, Field, TypeAdapter

from shared.adapters.http.error_text import redact
from shared.adapters.http.wire import Id, Wire, none_if_blank, parse_timestamp
from shared.domain.provisioning.imports.row_errors import RowError
from shared.domain.provisioning.imports.sis_imports import ImportState, SisImport


def _percentage(value: object) -> object:
    """Progress comes as a number or as text, and as null before the start."""
    try:
        return int(float(str(value)[:20])) if value not in (None, "") else 0
    except OverflowError:
        raise ValueError("no percentage") from None


def _numbers(value: object) -> object:
    """Counts that are no numbers say nothing."""
    if not isinstance(value, Mapping):
        return None
    return {key: count for key, count in value.items() if isinstance(count, int) and not isinstance(count, bool)}


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
    progress: Annotated[int, BeforeValidator(_percentage)] = 0
    created_at: Annotated[AwareDatetime, BeforeValidator(parse_timestamp)]
    counts: Annotated[dict[str, int] | None, BeforeValidator(_numbers)] = Field(
        None, validation_alias=AliasPath("data", "counts")
    )
    diffed_against_sis_batch_id: int | None = Field(
        None, validation_alias=AliasPath("data", "diffed_against_sis_batch_id")
    )
    diffing_data_set_identifier: str | None = None
    diffing_threshold_exceeded: bool | None = None
    diffed_against_import_id: int | None = None
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
            progress=self.progress,
            created_at=self.created_at,
            data_set_id=self.diffing_data_set_identifier or None,
            counts=self.counts,
            threshold_exceeded=bool(self.diffing_threshold_exceeded),
            diffed_against_id=self.diffed_against_import_id or self.diffed_against_sis_batch_id,
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


ACCOUNT = TypeAdapter(AccountWire)
IMPORT = TypeAdapter(SisImportWire)
IMPORTS = TypeAdapter(list[SisImportWire])
ERRORS = TypeAdapter(list[SisImportErrorWire])
