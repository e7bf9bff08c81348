"""`/ws/xte/teacher_category`: the categories of one teacher."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.powerschool.errors import message, required
from shared.sandbox.powerschool.request_context import need_grants, powerschool
from shared.sandbox.powerschool.rows import Category
from shared.sandbox.powerschool.xte.bodies import category_json, with_noise


def _own_categories(request: Request) -> list[Category]:
    """Return the teacher's categories, inactive ones included (measured). An unknown user is 404 (inferred)."""
    need_grants(request, "teachercategory", "districtteachercategory")
    state, users_dcid = powerschool(request), required(request, "users_dcid")
    if all(staff.dcid != users_dcid for staff in state.staff.values()):
        raise message(404, "User not found")
    return [category for category in state.categories.values() if category.users_dcid == users_dcid]


async def list_categories(request: Request) -> Response:
    """Answer a plain array; `year_id` is required of OAuth clients (documented)."""
    required(request, "year_id")
    rows = [category_json(category, position) for position, category in enumerate(_own_categories(request), start=1)]
    return JSONResponse(with_noise(rows))


ROUTES = [Route(f"/ws/xte/teacher_category{end}", list_categories, methods=["GET"]) for end in ("", "/")]
