"""Where the pages and the API have provisioning from. The one place that knows."""

from workers.bootstrap import Passback
from workers.status_pages.provisioning import NeverProvisioned, Provisioning


def provisioning_of(service: Passback) -> Provisioning:  # noqa: ARG001  # until its runs are there to be shown
    """Return the provisioning of this installation."""
    return NeverProvisioned()
