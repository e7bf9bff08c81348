"""Checks of passback's processes, dead letters, pauses and rates."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from shared.adapters.redis.remote_limits.remote_limiter import SystemRate
from shared.domain.actions import resume_command
from workers.container import Container
from workers.doctor.redis import NEEDS
from workers.doctor.result import Check, CheckResult, Step, ok
from workers.provisioning.service import KIND as PROVISIONING
from workers.status import rates_of

MILLISECOND = timedelta(milliseconds=1)

KINDS = {
    "web": "receives events",
    "worker": "dispatches and syncs",
    "beat": "starts scheduled tasks",
}


def steps(service: Container) -> Iterator[Step]:
    """Yield the checks of processes, dead letters, pauses and rates."""
    for kind, does in _kinds(service).items():
        yield Step(f"process: {kind}", partial(_process, service, kind, does), needs=NEEDS)
    yield Step("dead letters", partial(_dead_letters, service), needs=NEEDS)
    yield Step("paused", partial(_paused, service), needs=NEEDS)
    yield Step("rates", lambda: "; ".join(map(_check_rate, rates_of(service))), needs=NEEDS)


def _kinds(service: Container) -> dict[str, str]:
    """Return the kinds of processes that this installation needs, and what each does."""
    kinds = dict(KINDS)
    if service.settings.sqs_queue_url:
        kinds["sqs"] = "reads events from SQS"
    if service.settings.provision_schedule:
        kinds[PROVISIONING] = "imports rosters into Canvas"
    return kinds


def _process(service: Container, kind: str, does: str) -> Check:
    """Check whether one of the kind is alive. None at all is a warning, since before the first start it is normal."""
    heartbeats = [each for each in service.heartbeats.all() if each.process.partition("@")[0] == kind]
    alive = [each for each in heartbeats if not each.is_stale]
    gone = [each.process for each in heartbeats if each.is_stale]
    name, fix = f"process: {kind}", f"Start it: `passback {kind}`; it {does}."
    if alive:
        return ok(name, "; gone: ".join([f"{len(alive)} alive", *([", ".join(gone)] if gone else [])]))
    if gone:
        return Check(name, CheckResult.FAIL, f"gone: {', '.join(gone)}", fix)
    return Check(name, CheckResult.WARN, "none runs", fix)


def _dead_letters(service: Container) -> Check:
    count = service.dead_letter_queue.count()
    if count:
        fix = "See `passback dlq list`, fix the cause, then run `passback dlq retry`."
        return Check("dead letters", CheckResult.WARN, f"{count} need a person", fix)
    return ok("dead letters", "none")


def _paused(service: Container) -> Check:
    targets = [pause.target for pause in service.pauses.all()]
    if targets:
        commands = ", ".join(f"`{resume_command(target)}`" for target in targets)
        return Check("paused", CheckResult.WARN, ", ".join(targets), f"Resume with {commands}.")
    return ok("paused", "nothing")


def _check_rate(rate: SystemRate) -> str:
    """Return the rate at which all workers together call a system."""
    configured = f"{rate.configured / MILLISECOND:.0f} ms configured" if rate.configured else "none configured"
    if not rate.is_learnt:
        return f"{rate.system}: {configured}, and nothing was throttled recently"
    return f"{rate.system}: a request per {rate.interval / MILLISECOND:.0f} ms, learned from throttling; {configured}"
