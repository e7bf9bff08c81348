"""The two kinds of worker. `main` runs them without loading the other verbs, which saves 9 MB each."""

from shared import config


def worker() -> None:
    """Run a passback worker: the dispatcher, and the threads that sync courses."""
    from workers.grade_passback.worker import start_worker  # noqa: PLC0415

    start_worker(_settings_for("worker"))


def provisioning_worker() -> None:
    """Run the provisioning worker, which imports PowerSchool's rosters into Canvas."""
    from workers.provisioning.worker import start_provisioning_worker  # noqa: PLC0415

    start_provisioning_worker(_settings_for("provisioning-worker"))


def _settings_for(process: str) -> config.Settings:
    """Return the settings. Configures logs and traces by them."""
    from shared.adapters.telemetry.logging import configure_logging, route_celery_logs  # noqa: PLC0415
    from shared.adapters.telemetry.tracing import start_tracing  # noqa: PLC0415
    from workers.celery.worker import trace_tasks  # noqa: PLC0415

    settings = config.load()
    configure_logging(settings)
    start_tracing(process)
    trace_tasks()
    route_celery_logs()
    settings.require(*config.CANVAS_SETTINGS, *config.POWERSCHOOL_SETTINGS)
    return settings
