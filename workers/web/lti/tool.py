"""What every request below `/lti` needs: the settings as a tool reads them, the store, and who may open what."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial

import structlog

from shared.adapters.canvas.jwks import FETCH_TIMEOUT_S, LaunchKeys, Platform, platform_of
from shared.adapters.http.exchange import http_client
from shared.adapters.redis.operations.sign_in import session_secret
from shared.domain.metrics import CounterName
from shared.log_events import LogEvent
from workers.container import Container
from workers.runtime.log_limit import LogLimit
from workers.web.lti.claims import Expected
from workers.web.lti.configuration import PLACEMENTS_BY_PATH
from workers.web.lti.refusals import LaunchRefused, Refusal
from workers.web.lti.state import LoginStates

log = structlog.get_logger()

LAUNCH_PATH = "/lti/launch"
OPENED = "opened"


@dataclass(frozen=True)
class LtiTool:
    """passback as Canvas knows it."""

    service: Container

    @cached_property
    def platform(self) -> Platform:
        """The Canvas from which launches come."""
        return platform_of(self.service.settings)

    @cached_property
    def secret(self) -> Callable[[], str]:
        """Return the key of everything that is signed. It is read at the first request: Redis may be away before."""
        settings, service = self.service.settings, self.service

        @lru_cache(maxsize=1)
        def secret() -> str:
            return settings.session_secret.get_secret_value() or session_secret(service.redis, service.keys)

        return secret

    @cached_property
    def states(self) -> LoginStates:
        """Signs what a login is recognized by."""
        return LoginStates(self.secret)

    @cached_property
    def keys(self) -> LaunchKeys:
        """The keys that verify launches."""
        http = partial(http_client, "", FETCH_TIMEOUT_S, ca_bundle=self.service.settings.ca_bundle)
        return LaunchKeys(http, self.platform.keys_url, self.service.lti, self.service.clock)

    @cached_property
    def _log_limit(self) -> LogLimit:
        return LogLimit(self.service.clock)

    @property
    def targets(self) -> frozenset[str]:
        """Return the addresses of the pages on which a launch can land."""
        return frozenset(f"{self.service.settings.public_url}{path}" for path in PLACEMENTS_BY_PATH)

    def is_installed(self) -> bool:
        """Say whether Canvas can know passback: by the setting, a registration, or a link to register."""
        settings = self.service.settings
        if settings.missing_for_lti():
            return False
        return bool(settings.lti_client_id) or self.service.lti.is_installed()

    def client_ids(self) -> frozenset[str]:
        """Return the clients whose launches are accepted: of the setting, and those that an operator confirmed."""
        registered = self.service.lti.registrations()
        confirmed = {each.client_id for each in registered if each.confirmed_at and each.issuer == self.platform.issuer}
        return frozenset(confirmed | ({self.service.settings.lti_client_id} - {""}))

    def known_client(self, client_id: str) -> str:
        """Return the client; the only one where Canvas names none. Raises: LaunchRefused."""
        clients = self.client_ids()
        if not client_id and len(clients) == 1:
            return next(iter(clients))
        if client_id in clients:
            return client_id
        is_pending = any(each.client_id == client_id for each in self.service.lti.registrations())
        raise LaunchRefused(Refusal.UNCONFIRMED_CLIENT if is_pending else Refusal.UNKNOWN_CLIENT)

    def expected(self) -> Expected:
        """Return whose launches are accepted now."""
        district = self.service.settings.canvas_root_account_uuid
        return Expected(self.platform.issuer, self.client_ids(), district, self.targets)

    def count_refusal(self, refusal: Refusal) -> None:
        """Count and log a refusal, at a bounded rate. Neither token nor state are part of it."""
        self.service.counter_buffer(CounterName.LTI_LAUNCHES, refusal.code)
        if (suppressed := self._log_limit.due(refusal)) is not None:
            log.warning(LogEvent.LTI_REFUSED, cause=refusal.code, unlogged=suppressed)
