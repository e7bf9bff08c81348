"""Celery's own set-up of logging stays out of the way."""

import logging
from collections.abc import Iterator

import pytest
from celery import Celery, signals
from celery.app.log import Logging

from shared.adapters.telemetry.logging import route_celery_logs


@pytest.fixture(autouse=True)
def _celery_as_before() -> Iterator[None]:
    was_set_up, receivers = Logging._setup, list(signals.setup_logging.receivers or [])
    Logging._setup = False
    yield
    Logging._setup, signals.setup_logging.receivers = was_set_up, receivers


def test_celery_adds_no_handler_and_changes_no_level() -> None:
    """Once routed, a starting Celery worker leaves every handler and level as it finds them."""
    loggers = [logging.getLogger(name) for name in ("", "celery", "celery.task")]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]

    route_celery_logs()
    Celery("test", set_as_current=False).log.setup_logging_subsystem(loglevel="ERROR")

    assert [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers] == before
