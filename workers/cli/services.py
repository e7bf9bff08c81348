"""What every verb begins with."""

from shared.config import load
from workers.container import Container


def open_services() -> Container:
    """Return passback; its log lines go to standard error, so that what a verb prints, JSON above all, stays whole."""
    # Loaded late, so that `--help` is quick.
    from shared.adapters.telemetry.logging import configure_logging  # noqa: PLC0415

    settings = load()
    configure_logging(settings)
    return Container(settings)
