"""A district with a private certificate authority: `PASSBACK_CA_BUNDLE` reaches each connection that it promises."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from shared.adapters.canvas import canvas_sis_imports
from shared.clock import SystemClock
from shared.config import PREFIX, Settings, load
from shared.domain.notifications.messages import Message
from shared.domain.notifications.state import DeliveryFailure
from shared.errors import TransientError
from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.district.small import small_district
from shared.sandbox.powerschool.app import create_app as powerschool_app
from tests.integration.sandbox_server import served
from workers.container import Container
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.sandbox import sandbox_settings
from workers.doctor import run_checks
from workers.doctor.result import CheckResult
from workers.notifications.delivery import MessageKind, Target, deliver
from workers.web.receivers.assembly import build

pytestmark = [pytest.mark.slow, pytest.mark.redis]

OVER_TLS = ("canvas: connection", "canvas: token", "canvas: courses", "powerschool: connection", "powerschool: token",
            "live events: keys")  # fmt: skip


@dataclass(frozen=True)
class District:
    """The settings of an installation without the authority, the authority's file, and a webhook of the district's."""

    environ: dict[str, str]
    authority: Path
    hook: str

    def settings(self, *, trusted: bool) -> Settings:
        """Return the settings, with the authority if it is to be trusted."""
        bundle = {f"{PREFIX}CA_BUNDLE": str(self.authority)} if trusted else {}
        return load({**self.environ, **bundle}, Path("no.env"))


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    """Sandboxes and a webhook behind certificates of one private authority."""
    folder, clock = tmp_path_factory.mktemp("tls"), SystemClock()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    tls = {"ssl_keyfile": folder / "key.pem", "ssl_certfile": folder / "certificate.pem"}
    small = small_district(clock.now().date())
    hook = Starlette(routes=[Route("/hook", lambda _: Response("taken"), methods=["POST"])])
    with ExitStack() as stack:
        redis = stack.enter_context(EmbeddedRedis(durable=False))
        apps = (canvas_app(small.canvas, clock), powerschool_app(small.powerschool, clock), hook)
        canvas, powerschool, hooks = (stack.enter_context(served(app, **tls)) for app in apps)
        environ = {**sandbox_settings(canvas, powerschool), f"{PREFIX}REDIS_URL": redis.url}
        yield District(environ, folder / "authority.pem", f"jsons://{hooks.partition('//')[2]}/hook")


@pytest.mark.parametrize("trusted", [True, False])
def test_doctor_reaches_each_system_or_names_the_setting(district: District, *, trusted: bool) -> None:
    """With the authority every connection is well; without it each failure says which setting names it."""
    with closing(Container(district.settings(trusted=trusted))) as service:
        found = {check.name: check for check in run_checks(service) if check.name in OVER_TLS}
    if trusted:
        assert [check for check in found.values() if check.verdict is not CheckResult.OK] == []
        assert len(found) == len(OVER_TLS)
    else:
        failed = {name: check for name, check in found.items() if check.verdict is CheckResult.FAIL}
        assert failed.keys() == {"canvas: connection", "powerschool: connection", "live events: keys"}
        assert all("is not trusted" in check.found for check in failed.values())
        assert "PASSBACK_CA_BUNDLE" in failed["canvas: connection"].fix


def test_workers_read_both_systems(district: District) -> None:
    """With the clients of a sync and of provisioning."""
    with closing(Container(district.settings(trusted=True))) as service:
        service.canvas.check_token()
        assert service.powerschool.api.time_zone()
        with closing(canvas_sis_imports(service.settings, service.redis, service.keys, service.clock)) as imports:
            imports.newest(1)
    with closing(Container(district.settings(trusted=False))) as service, pytest.raises(TransientError):
        service.canvas.check_token()


@pytest.mark.parametrize(("trusted", "status"), [(True, 401), (False, 503)])
def test_the_receivers_fetch_the_keys_of_live_events(district: District, *, trusted: bool, status: int) -> None:
    """An event of an unknown key is rejected once the keys were read, and cannot be judged where they cannot be."""
    app = build(district.settings(trusted=trusted))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    event = jwt.encode({"body": {}}, key, "RS256", headers={"kid": "unknown"})

    with served(app, has_lifespan=True) as url:
        assert httpx.post(f"{url}/events/canvas", content=event).status_code == status


@pytest.mark.parametrize("trusted", [True, False])
def test_a_notification_arrives_at_a_server_of_the_district(district: District, *, trusted: bool) -> None:
    """Apprise trusts the authority as well, beside the public ones."""
    bundle = district.settings(trusted=trusted).ca_bundle
    failure = deliver(Target("x 1", SecretStr(district.hook)), Message("a", "b"), MessageKind.INFO, ca_bundle=bundle)
    assert failure is (None if trusted else DeliveryFailure.TLS_FAILED)
