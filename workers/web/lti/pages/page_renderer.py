"""Renders pages inside Canvas, and what a view gets of a request."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from urllib.parse import urlsplit

from starlette.responses import Response

from shared.adapters.redis.remote_limits.outages import read_outages, record_page_view
from workers.container import Container
from workers.web.lti.pages.plain_text import outage_clause
from workers.web.lti.session import LtiSession
from workers.web.pages.page_handlers import Form, first
from workers.web.pages.rendering import Renderer

TOKEN_FIELD, TOKEN_HEADER = "lti_token", "X-Passback-Lti"


@dataclass(frozen=True, slots=True)
class LtiRequest:
    """One request of somebody whom Canvas sent, with the fields of its form."""

    session: LtiSession
    token: str
    form_fields: Form

    def form(self, name: str) -> str:
        """Return a field of the form."""
        return first(self.form_fields, name)

    def offset(self) -> int:
        """Return where the page of a list starts."""
        start = self.form("start")
        return int(start) if start.isdecimal() and len(start) < 9 else 0


class LtiPageRenderer:
    """What the views use: the container, and the templates."""

    def __init__(self, service: Container) -> None:
        self.service = service
        self.renderer = Renderer(service.clock, service.settings.district_time_zone, service.settings.canvas_url)

    @property
    def zone(self) -> tzinfo:
        """Return the time zone of the pages."""
        return self.service.settings.district_time_zone or UTC

    def canvas_url(self, session: LtiSession) -> str:
        """Return the address of the Canvas in which the page is open, under the name that the person uses."""
        configured = self.service.settings.canvas_url
        scheme = urlsplit(configured).scheme or "https"
        return f"{scheme}://{session.api_domain}" if session.api_domain else configured.rstrip("/")

    def page(self, template: str, request: LtiRequest, **values: object) -> Response:
        """Return the page, with what every page inside Canvas shows."""
        service = self.service
        record_page_view(service.redis, service.keys)
        return self.renderer.page(
            template, 200, session=request.session, lti_token=request.token, outage_clause=outage_clause,
            canvas_url=self.canvas_url(request.session),
            outages=read_outages(service.redis, service.keys), **values,
        )  # fmt: skip


View = Callable[[LtiPageRenderer, LtiRequest], Response]
