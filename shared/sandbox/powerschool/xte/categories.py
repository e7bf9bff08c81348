"""`/ws/xte/teacher_category`: the categories of one teacher."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.powerschool.request import message, need_grants, powerschool, required
from shared.sandbox.powerschool.rows import Category
from shared.sandbox.powerschool.xte.bodies import tagged, with_noise


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


def category_json(category: Category, position: int) -> dict[str, Any]:
    """Return a teacher category; `districtteachercategoryid` is there for district copies only."""
    return tagged(
        "teachercategory",
        category.id,
        teachercategoryid=category.id,
        name=category.name,
        categorytype="user" if category.district_id is None else "district",
        districtteachercategoryid=category.district_id,
        usersdcid=category.users_dcid,
        isactive=category.active,
        isinfinalgrades=category.in_final_grades,
        isusermodifiable=category.district_id is None,
        teachermodified=category.district_id is None,
        displayposition=position,
        color=str(position % 8),
        description=category.description,
        defaultpublishoption=category.default_publish_option,
        isdefaultpublishscores=category.default_publish_scores,
        defaultscoreentrypoints=10,
        defaultweight=1,
        defaulttotalvalue=10,
        _teachercategorysectionexcludeassociations=[
            {"_name": "teachercatsectexcludeassoc", "sectionsdcid": dcid, "teachercategoryid": category.id}
            for dcid in category.excluded_section_dcids
        ],
        _categoryschoolexcludeassociations=[],
    )


ROUTES = [Route(f"/ws/xte/teacher_category{end}", list_categories, methods=["GET"]) for end in ("", "/")]
