"""A page of Canvas around passback's frame, in Chromium: what Canvas's own page does with the messages of a tool."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import uvicorn
from playwright.sync_api import BrowserContext, Error, Page, Route
from playwright.sync_api import Frame as BrowserFrame

from tests.unit.web.lti.canvas_site import CanvasSite, Frame
from workers.dev.process_group import free_port

CANVAS, TOOL = "https://district.instructure.com", "https://passback.example"
HOST = """<!doctype html><html lang="en"><title>Canvas</title><h1>Canvas</h1><script>
  window.messages = [];
  addEventListener("message", (event) => {{
    messages.push(event.data);
    const {{ subject, height }} = event.data;
    if (subject === "lti.frameResize") document.querySelector("iframe").style.height = height + "px";
  }});
</script><iframe name="tool" title="passback" style="width: 100%; height: 300px; border: 0"></iframe>
<form method="post" action="{address}" target="tool">{fields}</form>"""


@dataclass
class Opened:
    """Passback inside Canvas: the page around it, and its frame."""

    page: Page

    @property
    def frame(self) -> BrowserFrame:
        """Return the frame as it is now."""
        found = self.page.frame(name="tool")
        assert found is not None
        return found

    def messages(self, subject: str) -> list[dict[str, Any]]:
        """Return what the frame told Canvas."""
        sent: list[dict[str, Any]] = self.page.evaluate("messages")
        return [message for message in sent if message["subject"] == subject]


@contextmanager
def served(canvas: CanvasSite) -> Iterator[str]:
    """Serve the site, and yield its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(canvas.site.app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < until
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def open_in_canvas(context: BrowserContext, address: str, path: str, frame: Frame, **form: str) -> Opened:
    """Open a page of passback in a frame of Canvas's, as a launch does."""
    fields = "".join(
        f'<input type="hidden" name="{name}" value="{value}">'
        for name, value in {**form, "lti_token": frame.token}.items()
    )
    body = HOST.format(address=TOOL + path, fields=fields)
    page = context.new_page()
    page.route(f"{CANVAS}/**", lambda route: route.fulfill(body=body, content_type="text/html"))
    # Two sites over https, as in a district; a page of the Internet may not ask this machine.
    page.route(f"{TOOL}/**", lambda route: _forward(route, address))
    page.goto(f"{CANVAS}/courses/1/external_tools/5")
    page.evaluate("document.forms[0].submit()")
    page.frame_locator("iframe").locator("h1").wait_for()
    opened = Opened(page)
    opened.frame.wait_for_load_state("load")
    return opened


def _forward(route: Route, address: str) -> None:
    # A page that is closed does not wait for what its script has asked for.
    with suppress(Error):
        route.fulfill(response=route.fetch(url=route.request.url.replace(TOOL, address)))
