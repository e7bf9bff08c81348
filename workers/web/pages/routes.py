"""The status pages as one application: a row for each page, then the sign-in, style and script."""

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from workers.container import Container
from workers.web.auth.sign_in import RequestAuthenticator
from workers.web.middleware import SecurityHeaders
from workers.web.pages import course_pages, dead_letter_pages, history_pages, overview_pages, provisioning_pages
from workers.web.pages.district import readiness_pages, takeover_pages
from workers.web.pages.page_handlers import ACT, READ, SEARCH, Access, PageHandlers, View
from workers.web.pages.rendering import STATIC
from workers.web.pages.sign_in_pages import sign_in_routes

QUESTION = "layout/question.html"
# The addresses of style and script change with their content, so that browsers may cache them.
CACHED = {"cache-control": "public, max-age=31536000, immutable"}

# Who may ask for it and how, path, view, and the template that shows the view's values.
PAGES: tuple[tuple[Access, str, View, str], ...] = (
    (READ, "/", overview_pages.show_overview, "overview.html"),
    (READ, "/pulse", overview_pages.show_pulse, "layout/pulse.html"),
    (READ, "/actions", overview_pages.list_actions, "actions.html"),
    (READ, "/pause", overview_pages.confirm_pause, QUESTION),
    (ACT, "/pause", overview_pages.pause, ""),
    (ACT, "/resume", overview_pages.resume, ""),
    (READ, "/canvas", overview_pages.show_installations, "canvas.html"),
    (ACT, "/canvas/confirm", overview_pages.confirm_registration, ""),
    (READ, "/canvas/remove", overview_pages.confirm_removal, QUESTION),
    (ACT, "/canvas/remove", overview_pages.remove_registration, ""),
    (READ, "/courses", course_pages.list_courses, "courses.html"),
    (SEARCH, "/courses/people", course_pages.search_people, "people.html"),
    (READ, "/courses/{course_id}", course_pages.show_course, "course.html"),
    (ACT, "/courses/{course_id}/sync", course_pages.sync, ""),
    (ACT, "/courses/{course_id}/verify", course_pages.verify, ""),
    (ACT, "/courses/{course_id}/retry", course_pages.retry, ""),
    (READ, "/courses/{course_id}/plan", course_pages.show_plan, "plan.html"),
    (READ, "/courses/{course_id}/student", course_pages.show_student, "student.html"),
    (READ, "/courses/{course_id}/totals", course_pages.show_totals, "totals.html"),
    (READ, "/courses/{course_id}/history", history_pages.show_history, "history.html"),
    (READ, "/courses/{course_id}/history.csv", history_pages.download, ""),
    (READ, "/courses/{course_id}/takeover", takeover_pages.show_course, "district/takeover_course.html"),
    (ACT, "/courses/{course_id}/takeover", takeover_pages.take_over, ""),
    (READ, "/courses/{course_id}/takeover/confirm", takeover_pages.confirm_course, QUESTION),
    (ACT, "/courses/{course_id}/takeover/undo", takeover_pages.undo_course, ""),
    (READ, "/dead-letters", dead_letter_pages.list_dead_letters, "dead_letters/dead_letters.html"),
    (READ, "/dead-letters/confirm", dead_letter_pages.confirm, "layout/confirm.html"),
    (ACT, "/dead-letters/act", dead_letter_pages.start_batch, ""),
    (READ, "/dead-letters/batches/{batch_id}", dead_letter_pages.show_batch, "dead_letters/batch.html"),
    (ACT, "/dead-letters/batches/{batch_id}/cancel", dead_letter_pages.cancel_batch, ""),
    (READ, "/dead-letters/{dead_letter_id}", dead_letter_pages.show_dead_letter, "dead_letters/dead_letter.html"),
    (READ, "/provisioning", provisioning_pages.list_runs, "provisioning.html"),
    (READ, "/provisioning/{run_id}", provisioning_pages.show_run, "run.html"),
    (READ, "/provisioning/{run_id}/approve", provisioning_pages.confirm_approval, QUESTION),
    (ACT, "/provisioning/{run_id}/approve", provisioning_pages.approve, ""),
    (READ, "/provisioning/{run_id}/discard", provisioning_pages.confirm_discard, QUESTION),
    (ACT, "/provisioning/{run_id}/discard", provisioning_pages.discard, ""),
    (READ, "/readiness", readiness_pages.show_readiness, "district/readiness.html"),
    (READ, "/readiness.csv", readiness_pages.download, ""),
    (ACT, "/readiness", readiness_pages.check, ""),
    (READ, "/takeover", takeover_pages.show_run, "district/takeover.html"),
    (ACT, "/takeover", takeover_pages.start, ""),
    (ACT, "/takeover/confirm", takeover_pages.confirm_run, QUESTION),
    (ACT, "/takeover/cancel", takeover_pages.cancel, ""),
)


def create_pages(service: Container, sign_in: RequestAuthenticator) -> ASGIApp:
    """Return the pages as an ASGI application."""
    handlers = PageHandlers(service, sign_in)
    routes = [handlers.route(*page) for page in PAGES]
    static = Mount("/static", SecurityHeaders(StaticFiles(directory=STATIC), CACHED))
    app = Starlette(
        routes=[*sign_in_routes(handlers), static, *routes], exception_handlers=handlers.exception_handlers()
    )
    # A redirect of the framework's leads to the host that the request names.
    app.router.redirect_slashes = False
    return app
