"""Whether passback's processes run, and what waits for a person."""

from collections.abc import Iterator

from workers.cli.doctor.result import Check, CheckResult, ok
from workers.container import Container
from workers.provisioning.service import KIND as PROVISIONING

KINDS = {
    "web": "receives events",
    "worker": "dispatches and syncs",
    "beat": "starts what is scheduled",
}


def checks(service: Container) -> Iterator[Check]:
    """Yield the checks of processes, dead letters and pauses."""
    for kind, does in _kinds(service).items():
        yield _process(service, kind, does)
    yield _dead_letters(service)
    yield _paused(service)


def _kinds(service: Container) -> dict[str, str]:
    """Return what ought to run in this installation, and why."""
    kinds = dict(KINDS)
    if service.settings.sqs_queue_url:
        kinds["sqs"] = "reads events from SQS"
    if service.settings.provision_schedule:
        kinds[PROVISIONING] = "keeps Canvas's rosters current"
    return kinds


def _process(service: Container, kind: str, does: str) -> Check:
    """Say whether one of the kind is alive. None at all is a warning: before the first start that is right."""
    beats = [beat for beat in service.heartbeats.all() if beat.process.partition("@")[0] == kind]
    alive = [beat for beat in beats if not beat.is_stale]
    gone = [beat.process for beat in beats if beat.is_stale]
    name, fix = f"process: {kind}", f"Start it: `passback {kind}`; it {does}."
    if alive:
        return ok(name, "; gone: ".join([f"{len(alive)} alive", *([", ".join(gone)] if gone else [])]))
    if gone:
        return Check(name, CheckResult.FAIL, f"gone: {', '.join(gone)}", fix)
    return Check(name, CheckResult.WARN, "none runs", fix)


def _dead_letters(service: Container) -> Check:
    count = service.dead_letter_queue.count()
    if count:
        fix = "Look at `passback dlq list`, mend the cause, then `passback dlq retry`."
        return Check("dead letters", CheckResult.WARN, f"{count} wait for a person", fix)
    return ok("dead letters", "none")


def _paused(service: Container) -> Check:
    targets = [pause.target for pause in service.pauses.all()]
    if targets:
        return Check("paused", CheckResult.WARN, ", ".join(targets), "Go on with `passback resume`.")
    return ok("paused", "nothing")
