"""The numbers as Prometheus reads them, by its own library."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from workers.web.metrics.collector import Histogram, Sample
from workers.web.metrics.definitions import METRICS, Metric, MetricType

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class PassbackCollector(Collector):
    """Asks for the samples whenever it is asked."""

    def __init__(self, samples: Callable[[], Iterable[Sample]]) -> None:
        self._samples = samples

    def describe(self) -> Iterable[Family]:
        """Return nothing, so that registering reads nothing."""
        return ()

    def collect(self) -> Iterator[Family]:
        """Yield a family per metric that has samples, in the catalogue's order."""
        by_metric: dict[str, list[Sample]] = {}
        for sample in self._samples():
            by_metric.setdefault(sample[0].name, []).append(sample)
        for metric in METRICS:
            if metric.name in by_metric:
                yield _family(metric, by_metric[metric.name])


def exposition(samples: Callable[[], Iterable[Sample]]) -> bytes:
    """Return the text of `/metrics`."""
    registry = CollectorRegistry()
    registry.register(PassbackCollector(samples))
    text: bytes = generate_latest(registry)
    return text


def _family(metric: Metric, samples: Iterable[Sample]) -> Family:
    if metric.kind is MetricType.HISTOGRAM:
        return _histogram(metric, samples)
    make = CounterMetricFamily if metric.kind is MetricType.COUNTER else GaugeMetricFamily
    family = make(metric.name, metric.help, labels=metric.labels)
    for _, labels, value in samples:
        assert not isinstance(value, Histogram)
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, samples: Iterable[Sample]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for _, labels, value in samples:
        assert isinstance(value, Histogram)
        family.add_metric(labels, buckets=[(le, float(count)) for le, count in value.buckets], sum_value=value.sum_s)
    return family
