"""A plan beside what Canvas was given last."""

from dataclasses import dataclass

from shared.domain.provisioning_run import Hold
from workers.provisioning.planning import Planned
from workers.provisioning.upload_planning import Prepared


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was planned, what it takes, and why a person should look first."""

    planned: Planned
    prepared: tuple[Prepared, ...]
    holds: tuple[Hold, ...]
    plan_digest: str
