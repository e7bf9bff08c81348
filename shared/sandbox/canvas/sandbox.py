"""The whole sandbox Canvas without HTTP: records, actions, Live Events and the faults around them."""

import httpx

from shared.clock import Clock
from shared.sandbox.canvas.actions.course_actions import AdminActions
from shared.sandbox.canvas.live_events.delivery import DeliveryQueue, EventSettings, KeyRing
from shared.sandbox.canvas.live_events.events import LiveEvents
from shared.sandbox.canvas.lti.platform import LtiPlatform
from shared.sandbox.canvas.rest.throttle import CanvasFaults
from shared.sandbox.canvas.seed import CanvasSeed
from shared.sandbox.canvas.sis_import.queue import SisQueue
from shared.sandbox.faults import Switchboard


class CanvasSandbox(AdminActions):
    """A Canvas whose every action is a method, and whose events go to `deliveries`."""

    def __init__(self, seed: CanvasSeed, clock: Clock, event_transport: httpx.AsyncBaseTransport | None = None) -> None:
        super().__init__(seed, clock)
        self.keys = KeyRing(clock)
        self.deliveries = DeliveryQueue(clock, self.keys, event_transport)
        self.events = LiveEvents(self, self.deliveries.put)
        self.switchboard = Switchboard(CanvasFaults, clock)
        self.lti = LtiPlatform(self)

    def load(self, seed: CanvasSeed) -> None:
        """Replace everything, SIS imports too, by a copy of the seed."""
        super().load(seed)
        self.sis = SisQueue(self, lambda: self.switchboard.faults)

    def configure_events(self, settings: EventSettings) -> None:
        """Send events as these settings say from now on."""
        self.deliveries.configure(settings)
        self.events.envelope.token_in_url = settings.token_in_url
