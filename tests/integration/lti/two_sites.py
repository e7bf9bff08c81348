"""Canvas and passback over https on two real sites, in a real browser: `canvas.test`, `tool.test`, and 127.0.0.1.

The third is the host of the platform's own endpoints, as `sso.canvaslms.com` is. A certificate authority that lives as
long as the test signs for all three.
"""

import base64
import hashlib
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import BrowserContext, FrameLocator, Page

from shared.clock import SystemClock
from shared.config import load
from tests.integration.chromium import chromium_profile
from tests.integration.lti import tls_server
from tests.lti_kit import CLIENT_ID, configuration
from tests.waiting import wait_until
from workers.container import Container
from workers.dev.demo.client import DemoClient
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.process_group import PROGRAM, ProcessGroup, free_port, process_group, without_settings
from workers.dev.sandbox import sandbox_settings

CANVAS_HOST, TOOL_HOST, PLATFORM_HOST = "canvas.test", "tool.test", "127.0.0.1"


class CookieRegime(Enum):
    """What a browser does with the cookies of a page inside a frame of another site."""

    ALLOWED = "allowed"
    PARTITIONED = "partitioned"
    BLOCKED = "blocked"

    def preferences(self, tool_url: str, canvas_url: str) -> dict[str, Any]:
        """Return the regime as preferences of a profile of Chromium's."""
        match self:
            case CookieRegime.ALLOWED:
                return {"cookie_controls_mode": 0}
            case CookieRegime.PARTITIONED:
                return {"cookie_controls_mode": 1, "block_third_party_cookies": True}
            case CookieRegime.BLOCKED:
                # In a tab of its own the tool has cookies.
                return {"content_settings": {"exceptions": {"cookies": {f"{tool_url},{canvas_url}": {"setting": 2}}}}}


@dataclass
class TwoSites:
    """What is running, and how a person reaches it."""

    stage: DemoClient
    canvas_url: str
    platform_url: str
    tool_url: str
    service: Container
    processes: ProcessGroup
    fingerprint: str
    environ: dict[str, str]

    def page_url(self, path: str, **query: object) -> str:
        """Return the address of a page of Canvas."""
        return f"{self.canvas_url}{path}?{urlencode(query)}"

    def open_tool(self, page: Page, user_id: int, context: str = "/courses/101", **query: object) -> FrameLocator:
        """Open the tool's page in Canvas as somebody, and return the frame."""
        page.goto(self.page_url(f"{context}/external_tools/1", **{"as": user_id}, **query))
        return page.frame_locator("iframe[name=tool_content]")

    @contextmanager
    def browser(self, regime: CookieRegime = CookieRegime.ALLOWED, **options: Any) -> Iterator[BrowserContext]:
        """Run a browser with this regime of cookies; `options` are Playwright's."""
        arguments = [
            "--host-resolver-rules=MAP *.test 127.0.0.1",
            f"--ignore-certificate-errors-spki-list={self.fingerprint}",
            # Playwright loses a frame that changes its process while it is redirected.
            "--disable-site-isolation-trials",
        ]
        preferences = {"profile": regime.preferences(self.tool_url, self.canvas_url)}
        with chromium_profile(arguments, preferences, **options) as context:
            yield context

    def set_platform(self, **settings: object) -> None:
        """Change how the platform behaves, such as `fault`."""
        body = {"platform_url": self.platform_url, **settings}
        self.stage.http.put(f"{self.platform_url}/_sandbox/lti", json=body).raise_for_status()

    def passback(self, *arguments: str) -> str:
        """Run the command, and return what it prints."""
        command = [sys.executable, "-m", PROGRAM, *arguments]
        return subprocess.run(command, env=self.environ, capture_output=True, check=True, text=True, timeout=60).stdout

    def settle(self) -> None:
        """Return once nothing is on its way any more."""
        changes = self.service.changes
        wait_until(
            lambda: not self.stage.outstanding_events() and not changes.pending_messages() and not any(changes.counts())
        )


@contextmanager
def two_sites(folder: Path) -> Iterator[TwoSites]:
    """Yield both, with a worker and a PowerSchool, on the small district. The tool is installed in Canvas."""
    authority = trustme.CA()
    certificate = authority.issue_cert(CANVAS_HOST, TOOL_HOST, PLATFORM_HOST)
    authority.cert_pem.write_to_path(folder / tls_server.AUTHORITY)
    certificate.private_key_pem.write_to_path(folder / tls_server.KEY)
    certificate.cert_chain_pems[0].write_to_path(folder / tls_server.CERTIFICATE)
    ports = {name: free_port() for name in ("powerschool", "canvas", "web")}
    powerschool_url, platform_url = f"http://127.0.0.1:{ports['powerschool']}", f"https://127.0.0.1:{ports['canvas']}"
    canvas_url, tool_url = (f"https://{CANVAS_HOST}:{ports['canvas']}", f"https://{TOOL_HOST}:{ports['web']}")
    with ExitStack() as stack:
        redis = stack.enter_context(EmbeddedRedis(durable=False))
        ours = {
            **sandbox_settings(platform_url, powerschool_url),
            "PASSBACK_REDIS_URL": redis.url,
            "PASSBACK_ALLOW_VOLATILE_REDIS": "yes",
            "PASSBACK_CA_BUNDLE": str(folder / tls_server.AUTHORITY),
            "PASSBACK_QUIET_PERIOD_S": "0.1",
            "PASSBACK_MAX_WAIT_S": "1",
            "PASSBACK_PUBLIC_URL": tool_url,
            "PASSBACK_LTI_CLIENT_ID": CLIENT_ID,
            "PASSBACK_LTI_PLATFORM_URL": platform_url,
            "PASSBACK_LTI_FRAME_ANCESTORS": canvas_url,
        }
        environ = {**without_settings(), **ours}
        group = stack.enter_context(process_group(folder, environ))
        group.start("sandbox-powerschool", "sandbox", "powerschool", "--port", str(ports["powerschool"]))
        for name in ("canvas", "web"):
            group.start(name, name, str(ports[name]), str(folder), module=tls_server.__name__)
        group.start("worker", "worker")
        trusted = httpx.Client(verify=ssl.create_default_context(cafile=folder / tls_server.AUTHORITY))
        stage = stack.enter_context(closing(DemoClient(platform_url, powerschool_url, SystemClock(), http=trusted)))
        web = f"https://127.0.0.1:{ports['web']}"
        for url in (f"{platform_url}/_sandbox/lti", f"{powerschool_url}/_sandbox/requests", f"{web}/readyz"):
            group.wait_ready(url, trusted)
        service = stack.enter_context(closing(Container(load(ours, env_file=folder / "no.env"))))
        sites = TwoSites(stage, canvas_url, platform_url, tool_url, service, group, _fingerprint(certificate), environ)
        sites.set_platform()
        tool = {"configuration": configuration(tool_url), "redirect_uris": [f"{tool_url}/lti/launch"]}
        trusted.post(f"{platform_url}/_sandbox/lti/tools", json=tool | {"client_id": CLIENT_ID}).raise_for_status()
        events = {"target": f"{web}/events/canvas", "signed": True}
        trusted.put(f"{platform_url}/_sandbox/events", json=events).raise_for_status()
        yield sites


def _fingerprint(certificate: trustme.LeafCert) -> str:
    """Return how Chromium names a key that it trusts."""
    public_key = x509.load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes()).public_key()
    content = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
