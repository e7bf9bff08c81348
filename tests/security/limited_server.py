"""Serves the receivers as the web process does, in a process of its own whose memory can be read; takes the port.

Redis is left out: what is measured is what is held before it.
"""

import sys
from typing import cast

from starlette.types import ASGIApp

from tests.integration.receivers_kit import Receivers
from workers.web.server import serve


class Forgetful:
    """A writer that keeps nothing, so that accepted events do not count as memory."""

    async def add(self, change: object) -> None:
        """Take the change."""


def main() -> None:
    """Serve until told to stop."""
    receivers = Receivers(live_events_allow_unsigned=True)
    receivers.writer.add = Forgetful().add  # type: ignore[method-assign]
    serve(cast(ASGIApp, receivers.app), "127.0.0.1", int(sys.argv[1]))


if __name__ == "__main__":
    main()
