"""The routes of SIS imports and their errors.

Source: canvas-lms app/controllers/{sis_imports_api,sis_import_errors_api}_controller.rb, lib/api/v1/sis_import.rb;
Canvas "SIS Imports API" and "SIS Import Errors API".
"""

from collections.abc import Mapping
from typing import Any, Final

from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.canvas.rest.request import ApiRequest, BadRequest, Endpoint, api_route, is_true
from shared.sandbox.canvas.sis_import.files import KINDS, DropStatuses, Upload
from shared.sandbox.canvas.sis_import.job import NOT_COMPLETED, ImportMessage, ImportRequest, SisImport
from shared.sandbox.canvas.sis_import.records import statistics
from shared.sandbox.canvas.state import ACCOUNT_ID, ROOT_ACCOUNT_ID, UnknownObject
from shared.sandbox.canvas.values import fields_of, times_of

MAX_IDENTIFIER_BYTES: Final = 128
DROP_STATUSES: Final = ("deleted", "inactive", "completed", "deleted_last_completed")
REMOVE_STATUSES: Final = ("deleted", "suspended")
EXTENSIONS: Final = {"application/zip": "zip", "text/csv": "csv", "text/plain": "csv"}
UNSUPPORTED: Final = (
    "add_sis_stickiness",
    "clear_sis_stickiness",
    "skip_deletes",
    "update_sis_id_if_login_claimed",
    "diff_row_count_threshold",
)
MAX_MESSAGES: Final = 25
UNAUTHORIZED: Final = {
    "status": "unauthorized",
    "errors": [{"message": "user not authorized to perform that action"}],
}


def sis_route(method: str, path: str, endpoint: Endpoint) -> Route:
    """Return a route that is open on the root account alone, where imports are enabled, to who has the right."""

    async def checked(request: ApiRequest) -> Response:
        asked = request.path_params["account_id"]
        if asked == str(ACCOUNT_ID):
            return JSONResponse({"errors": ["SIS imports can only be executed on root accounts"]}, 400)
        if asked not in ("self", str(ROOT_ACCOUNT_ID)):
            raise UnknownObject("no such account")
        if not request.canvas.seed.sis_imports_enabled:
            return JSONResponse({"errors": ["SIS imports are not enabled for this account"]}, 403)
        if not request.has_import_right:
            return JSONResponse(UNAUTHORIZED, 403)
        return await endpoint(request)

    return api_route(method, f"/api/v1/accounts/:account_id/sis_imports{path}", checked)


async def create_import(request: ApiRequest) -> Response:
    """`POST …/sis_imports`: multipart `attachment`, or the file itself as the body."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        upload, parameters = await _form(request)
    else:
        parameters = dict(request.query_params)
        upload = Upload(await request.body(), parameters.get("extension") or _extension(request))
    return request.answer(import_json(request, request.canvas.sis.add(_request(upload, parameters))))


async def list_imports(request: ApiRequest) -> Response:
    """`GET …/sis_imports`: the newest first, of some states if asked."""
    states = request.many("workflow_state")
    return _listed(request, [one for one in request.canvas.sis.imports if not states or one.workflow_state in states])


async def list_importing(request: ApiRequest) -> Response:
    """`GET …/sis_imports/importing`: the one that runs."""
    running = ("importing", "cleanup_batch")
    return _listed(request, [one for one in request.canvas.sis.imports if one.workflow_state in running])


def _listed(request: ApiRequest, found: list[SisImport]) -> Response:
    page = request.page(found[::-1])
    return request.answer({"sis_imports": [import_json(request, one) for one in page.items]}, link=page.link)


async def show_import(request: ApiRequest) -> Response:
    """`GET …/sis_imports/:id`."""
    return request.answer(import_json(request, _import(request)))


async def list_import_errors(request: ApiRequest) -> Response:
    """`GET …/sis_imports/:id/errors`: for 30 days."""
    found, only_failures, queue = _import(request), request.flag("failure"), request.canvas.sis
    errors = [each for each in found.errors if not queue.is_expired(each.at) and (each.failure or not only_failures)]
    page = request.page(errors)
    listed = [{"sis_import_id": found.id, **fields_of(e, "file", "message", "row", "row_info")} for e in page.items]
    return request.answer({"sis_import_errors": listed}, link=page.link)


async def abort_import(request: ApiRequest) -> Response:
    """`PUT …/sis_imports/:id/abort`: one that has not ended; 404 for any other."""
    found = _import(request)
    if found.workflow_state not in NOT_COMPLETED:
        raise UnknownObject("no such import under way")
    request.canvas.sis.abort(found)
    return request.answer(import_json(request, found))


def import_json(request: ApiRequest, found: SisImport) -> dict[str, Any]:
    """Return an import as REST shows it; `progress` is a number, or text if the fault says so."""
    as_text = request.canvas.switchboard.faults.sis_progress_as_text
    attachment = {"url": f"https://sandbox.canvas.example/files/{found.id}/download"} if found.errors else None
    return {
        **found.options_json(),
        **times_of(found, "created_at", "started_at", "ended_at", "updated_at"),
        "id": found.id,
        "progress": str(found.progress) if as_text else found.progress,
        "workflow_state": found.workflow_state,
        "data": _data(found),
        "errors_attachment": attachment,
        # That row errors count as warnings here is recalled, not documented.
        "processing_warnings": _messages([error for error in found.errors if not error.failure]),
        "processing_errors": _messages([error for error in found.errors if error.failure]),
        # "The user that initiated the sis_batch. See the Users API for details." (Canvas "SIS Imports API")
        "user": {"id": found.request.user_id, "name": f"User No. {found.request.user_id}"},
    }


def _data(found: SisImport) -> dict[str, Any]:
    data: dict[str, Any] = {"import_type": "instructure_csv", "supplied_batches": found.supplied}
    if found.started_at is not None:
        data["counts"] = {_plural(kind): found.counts[_plural(kind)] for kind in KINDS}
    if found.base is not None:
        data["diffed_against_sis_batch_id"] = found.base.id
    if found.ended_at is not None:
        data["statistics"] = statistics(found.changes)
    if found.workflow_state == "failed":
        data["error_message"] = "the sandbox was told to fail this import"
    return data


def _plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def _messages(errors: list[ImportMessage]) -> list[list[str | None]]:
    """Return pairs of file and message, truncated; the wording of the last is inferred."""
    shown_ones = [[error.file, error.message] for error in errors[:MAX_MESSAGES]]
    more = len(errors) - MAX_MESSAGES
    return [*shown_ones, [None, f"there were {more} more"]] if more > 0 else shown_ones


async def _form(request: ApiRequest) -> tuple[Upload, dict[str, str]]:
    async with request.form() as form:
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        attachment = form.get("attachment")
        if not isinstance(attachment, UploadFile):
            raise BadRequest({"error": True, "error_message": "Missing attachment"})
        is_zip = (attachment.filename or "").lower().endswith(".zip")
        return Upload(await attachment.read(), "zip" if is_zip else "csv"), dict(request.query_params) | fields


def _extension(request: ApiRequest) -> str:
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.partition("charset=")[2].strip(' "').lower()
    if charset not in ("", "utf-8"):
        raise BadRequest({"error": "Invalid content type, UTF-8 required"})
    return EXTENSIONS.get(kind.strip().lower(), "zip")


def _request(upload: Upload, parameters: Mapping[str, str]) -> ImportRequest:
    """Return what the parameters ask for. Raises `BadRequest`."""
    _refuse_unsupported(parameters)
    if parameters.get("import_type", "instructure_csv") != "instructure_csv":
        raise BadRequest({"errors": [{"message": "invalid import type parameter"}]})
    identifier = parameters.get("diffing_data_set_identifier") or None
    if identifier and len(identifier.encode()) > MAX_IDENTIFIER_BYTES:
        # The limit is documented, the answer is not.
        raise BadRequest({"errors": [{"message": "diffing_data_set_identifier is too long (maximum is 128 bytes)"}]})
    return ImportRequest(
        upload,
        override_sis_stickiness=_flag(parameters, "override_sis_stickiness"),
        identifier=identifier,
        remaster=bool(identifier) and _flag(parameters, "diffing_remaster_data_set"),
        drop=DropStatuses(
            enrollments=_status(parameters, "diffing_drop_status", DROP_STATUSES),
            users=_status(parameters, "diffing_user_remove_status", REMOVE_STATUSES),
        ),
        change_threshold=_percentage(parameters, "change_threshold"),
    )


def _refuse_unsupported(parameters: Mapping[str, str]) -> None:
    """Refuse what the sandbox does not do, so that no parameter is ignored. Raises `BadRequest`."""
    for name in UNSUPPORTED:
        if parameters.get(name):
            raise BadRequest({"message": f"The sandbox does not support {name}"})
    if not _flag(parameters, "batch_mode"):
        return
    if parameters.get("diffing_data_set_identifier"):
        # Documented as not to be combined; the source ignores the data set, which would hide the mistake here.
        raise BadRequest({"message": "diffing_data_set_identifier cannot be used with batch mode"})
    raise BadRequest({"message": "The sandbox does not replace terms in batch mode"})


def _flag(parameters: Mapping[str, str], name: str) -> bool:
    return bool(is_true(parameters.get(name)))


def _status(parameters: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    status = parameters.get(name) or known[0]
    if status not in known:
        raise BadRequest({"message": f"Invalid {name}"})
    return status


def _percentage(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name, "")
    number = int(text) if text.isdigit() else None
    if number is not None and not 1 <= number <= 100:
        raise BadRequest({"message": f"Invalid {name}"})
    return number


def _import(request: ApiRequest) -> SisImport:
    key = request.path_id("id")
    found = next((one for one in request.canvas.sis.imports if one.id == key), None)
    if found is None:
        raise UnknownObject("no such import")
    return found


SIS_IMPORT_ROUTES: Final[list[Route]] = [
    sis_route("POST", "", create_import),
    sis_route("GET", "", list_imports),
    sis_route("GET", "/importing", list_importing),
    sis_route("GET", "/:id", show_import),
    sis_route("GET", "/:id/errors", list_import_errors),
    sis_route("PUT", "/:id/abort", abort_import),
]
