"""The forms to sign in and out."""

import hmac
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workers.web.auth.roles import User
from workers.web.auth.sign_in import CLOSED, COOKIE
from workers.web.errors import ApiError
from workers.web.pages.page_handlers import (
    Form,
    PageHandlers,
    first,
    parse_form,
    redirect,
    verify_csrf,
    with_retry_after,
)
from workers.web.views.operator_actions import OperatorActions

MAX_PASSWORD_CHARS = 1000


def sign_in_routes(pages: PageHandlers) -> list[Route]:
    """Return the routes to sign in and out."""
    return [
        Route("/sign-in", partial(_form, pages), methods=["GET"]),
        Route("/sign-in", partial(_sign_in, pages), methods=["POST"]),
        Route("/sign-out", partial(_sign_out, pages), methods=["POST"]),
    ]


async def _sign_in(pages: PageHandlers, request: Request) -> Response:
    form = parse_form(await request.body())
    name, password = first(form, "account"), first(form, "password")[:MAX_PASSWORD_CHARS]
    try:
        await run_in_threadpool(_check_form, pages, request, form)
        user = await pages.sign_in.check_password(request, name, password, "pages")
    except ApiError as error:
        return await run_in_threadpool(_form, pages, request, first(form, "next"), error)
    return await run_in_threadpool(_signed_in, pages, request, form, user)


def _form(pages: PageHandlers, request: Request, next_path: str = "", error: ApiError | None = None) -> Response:
    sign_in = pages.sign_in
    if not sign_in.is_possible:
        return pages.message(403, "Closed", CLOSED)
    if not sign_in.accounts:
        return redirect("/")
    caller = sign_in.authenticate(request)
    next_path = safe_path(next_path or request.query_params.get("next", "/"))
    response: Response = pages.renderer.page(
        "sign_in.html", error.status if error else 200, next=next_path,
        problem=error.message if error else "", accounts=sign_in.accounts, user=None,
        token=caller.token, path="/sign-in", counts=None,
    )  # fmt: skip
    if caller.is_new:
        sign_in.set_cookie(caller.session_id, request, response)
    return with_retry_after(response, error) if error else response


def _check_form(pages: PageHandlers, request: Request, form: Form) -> None:
    token = pages.sign_in.authenticate(request).token
    if not hmac.compare_digest(token.encode(), first(form, "token").encode()):
        raise ApiError(403, "maybe_forged", "This form was too old. Please send it again.")


def _signed_in(pages: PageHandlers, request: Request, form: Form, user: User) -> Response:
    sign_in = pages.sign_in
    # The browser's earlier session ends here.
    sign_in.end_session(sign_in.authenticate(request).session_id)
    OperatorActions(pages.service, user).record_sign_in()
    response = redirect(safe_path(first(form, "next")))
    sign_in.set_cookie(sign_in.open_session(user.role), request, response)
    return response


async def _sign_out(pages: PageHandlers, request: Request) -> Response:
    return await run_in_threadpool(_signed_out, pages, request, parse_form(await request.body()))


def _signed_out(pages: PageHandlers, request: Request, form: Form) -> Response:
    caller = pages.sign_in.authenticate(request)
    verify_csrf(request, caller, first(form, "token"))
    pages.sign_in.end_session(caller.session_id)
    response = redirect("/sign-in")
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
    return response


def safe_path(path: str) -> str:
    """Return a path of this installation; the first page for anything that leads elsewhere."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_local else "/"
