"""What a worker tells Celery's monitors about itself. Importing this replaces Celery's own answer to `stats`.

Celery's gives its connection's parameters away, and those hold the password of Redis: in the name of the host where
that is a socket, in the alternates and transport options where there are Sentinels. Flower shows all of it.
"""

from typing import Any

from celery.worker.control import inspect_command

REPORTED_BROKER_FIELDS = ("transport", "port", "virtual_host")


@inspect_command()  # type: ignore[untyped-decorator]  # Celery has no types
def stats(state: Any, **_options: object) -> dict[str, Any]:
    """Return the worker's statistics; of its connection only what opens nothing."""
    told: dict[str, Any] = state.consumer.controller.stats()
    broker = told.get("broker")
    told["broker"] = {name: broker.get(name) for name in REPORTED_BROKER_FIELDS} if isinstance(broker, dict) else {}
    return told
