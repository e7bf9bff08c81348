"""The verb `alive`: the health check of containers whose process serves no requests."""

from contextlib import closing
from datetime import timedelta
from typing import Annotated

import typer
from redis.exceptions import RedisError

from shared import config
from shared.adapters.redis.client import connect
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.heartbeats import Heartbeats
from workers.cli.terminal.output import ExitCode
from workers.runtime.heartbeat import this_process

# Longer than the pages take to call a process gone: to end a process that is merely late would make it later.
PATIENCE = timedelta(seconds=60)

ProcessKind = Annotated[
    str, typer.Argument(metavar="PROCESS", help="Its kind, as `passback status` names it: worker, beat …")
]


def alive(kind: ProcessKind) -> None:
    """Say whether this host's process of a kind is alive; the exit code is 1 if not.

    While Redis is away nobody can tell, and starting processes again would not bring it back: that is 0.
    """
    settings = config.load()
    try:
        with closing(connect(settings)) as client:
            beats = Heartbeats(client, Keys(settings.redis_prefix)).all()
    except RedisError as error:
        typer.echo(f"{kind}: not known, Redis does not answer ({type(error).__name__})")
        return
    here = this_process(kind).rpartition(":")[0]
    if any(beat.process.startswith(f"{here}:") and beat.age <= PATIENCE for beat in beats):
        typer.echo(f"{kind}: alive")
        return
    typer.echo(f"{kind}: not alive on this host", err=True)
    raise typer.Exit(ExitCode.PROBLEMS)
