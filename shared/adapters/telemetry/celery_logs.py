"""Celery's log lines through passback's renderer."""

from celery import signals


def route_celery_logs() -> None:
    """Keep Celery from installing handlers and levels of its own; what it logs then reaches the root logger's."""
    signals.setup_logging.connect(_already_configured, weak=False, dispatch_uid="passback.logging")


def _already_configured(**_: object) -> None:
    """Answer the signal: Celery leaves logging alone as soon as anybody does."""
