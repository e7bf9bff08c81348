"""The page of the installations in Canvas: registrations to confirm, and what was opened."""

from starlette.responses import Response

from workers.web.errors import ApiError
from workers.web.pages.page_handlers import PageHandlers, PageRequest, redirect

UNKNOWN_CLIENT = ApiError(404, "client_unknown", "There is no registration of this client id (any more).")


def show_installations(pages: PageHandlers, request: PageRequest) -> Response:
    """`/canvas`: the registrations and deployments of the page inside Canvas."""
    service = pages.service
    return pages.page(
        "canvas.html", request, registrations=service.lti.registrations(), deployments=service.lti.deployments(),
        client_id=service.settings.lti_client_id, missing=service.settings.missing_for_lti(),
    )  # fmt: skip


def confirm(_pages: PageHandlers, request: PageRequest) -> Response:
    """Accept launches of a registration."""
    if not request.actions.confirm_registration(request.form("client_id")):
        raise UNKNOWN_CLIENT
    return redirect("/canvas?done=confirm")


def confirm_removal(pages: PageHandlers, request: PageRequest) -> Response:
    """`/canvas/remove`: what happens without a registration, before it is removed."""
    client_id = request.query("client_id")
    if all(each.client_id != client_id for each in pages.service.lti.registrations()):
        raise UNKNOWN_CLIENT
    consequences = [
        "Nobody gets into passback with this installation any more.",
        "In Canvas the link stays, until an administrator removes it there.",
    ]
    return pages.page(
        "layout/question.html", request, title=f"Remove client {client_id}", consequences=consequences,
        action="/canvas/remove", fields={"client_id": client_id}, back="/canvas", is_danger=True,
    )  # fmt: skip


def remove(_pages: PageHandlers, request: PageRequest) -> Response:
    """Accept no launch of a registration any more."""
    if not request.actions.remove_registration(request.form("client_id")):
        raise UNKNOWN_CLIENT
    return redirect("/canvas?done=remove")


GET = {"/canvas": show_installations, "/canvas/remove": confirm_removal}
POST = {"/canvas/confirm": confirm, "/canvas/remove": remove}
