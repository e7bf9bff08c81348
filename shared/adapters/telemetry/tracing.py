"""Spans, for those who run OpenTelemetry: ids, codes and path templates, as in the logs. Off until `start_tracing`."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from shared.config import ConfigurationError, has_trace_collector

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

Value = str | int
SetAttribute = Callable[[str, Value], None]
"""Adds an id, a code or a count to a span."""

_provider: "TracerProvider | None" = None
_tracer: "Tracer | None" = None


def start_tracing(process: str, exporter: "SpanExporter | None" = None) -> None:
    """Send spans to the collector of `OTEL_EXPORTER_OTLP_ENDPOINT`, if it is set. Needs the extra `passback[otel]`.

    An `exporter` gets them instead, each at its end: for tests.
    """
    global _provider, _tracer  # one per process, as OpenTelemetry has it
    if not has_trace_collector() and exporter is None:
        return
    if find_spec("opentelemetry.sdk") is None:
        raise ConfigurationError("OpenTelemetry is not installed: pip install 'passback[otel]'")
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor  # noqa: PLC0415

    name = {"service.name": f"passback-{process}", "service.version": version("passback")}
    provider = TracerProvider(resource=Resource.create(name))
    if exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    else:
        provider.add_span_processor(BatchSpanProcessor(_otlp()))
    _provider, _tracer = provider, provider.get_tracer("passback")


def stop_tracing() -> None:
    """Send the remaining spans, and make no more in this process. The end of a process does the same."""
    global _provider, _tracer  # noqa: PLW0603
    if _provider is not None:
        _provider.shutdown()
    _provider = _tracer = None


@contextmanager
def span(name: str, attributes: Mapping[str, Value] | None = None) -> Iterator[SetAttribute]:
    """Trace the block. Of an error in it, only the type is recorded, since its text may quote data."""
    if _tracer is None:
        yield lambda _name, _value: None
        return
    from opentelemetry.trace import StatusCode  # noqa: PLC0415

    with _tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current.set_attribute
        except BaseException as error:
            current.set_status(StatusCode.ERROR)
            current.set_attribute("error.type", type(error).__name__)
            raise


def _otlp() -> "SpanExporter":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    return OTLPSpanExporter()
