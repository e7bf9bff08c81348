"""The headers of pages inside Canvas: Canvas may show them in a frame, nobody else may."""

from shared.config import Settings, origin
from workers.web.security_headers import framed_by

INSTRUCTURE = ("https://*.instructure.com", "https://*.canvaslms.com")


def lti_headers(settings: Settings) -> dict[str, str]:
    """Return the headers of every response below `/lti`. The addresses are the settings', never the request's."""
    canvas = origin(settings.canvas_url), origin(settings.lti_platform_url)
    return framed_by([*INSTRUCTURE, *filter(None, dict.fromkeys(canvas)), *settings.lti_frame_ancestors])
