"""Serves the receivers as the web process does, in a process of its own whose memory can be read; takes the port.

Without Redis: the measured memory is that of the web process alone.
"""

import sys
from typing import cast

from starlette.types import ASGIApp

from tests.integration.receivers_kit import Receivers
from workers.web.server import serve


class DiscardingWriter:
    """A writer that discards, so that accepted events do not count as memory."""

    async def add(self, change: object) -> None:
        """Take the change."""


def main() -> None:
    """Serve until told to stop."""
    receivers = Receivers(live_events_allow_unsigned=True)
    receivers.writer.add = DiscardingWriter().add  # type: ignore[method-assign]
    serve(cast(ASGIApp, receivers.app), "127.0.0.1", int(sys.argv[1]))


if __name__ == "__main__":
    main()
