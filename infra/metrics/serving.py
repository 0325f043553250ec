"""Where a process' measures go: to what it serves anyway, so that each has one address.

A worker serves the Temporal SDK's numbers on `METRICS_PORT`, and ours go out with them, through
the SDK's own meter. The API serves prometheus-client's registry.
"""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter, Gauge, Histogram
from temporalio.common import MetricMeter
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from infra.metrics.measures import MEASURES, Count, Level, Measure, Record, Timing

_QUEUE_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
_SDK_BUCKETS = {
    "temporal_activity_schedule_to_start_latency": _QUEUE_BUCKETS,
    "temporal_workflow_task_schedule_to_start_latency": _QUEUE_BUCKETS,
}
"""The SDK's own leave the minutes out, which is where a queue begins to be a matter."""


def record_in_registry() -> None:
    """Of a process that serves prometheus-client's registry. Safe to repeat."""
    for each in MEASURES:
        each.go_to(_in_registry(each))


def record_with(meter: MetricMeter) -> None:
    """Of a worker: what is measured goes out with the SDK's own numbers."""
    for each in MEASURES:
        each.go_to(_by_meter(each, meter))


def runtime_with_metrics(address: str) -> Runtime:
    """A runtime of the SDK that serves its metrics and ours on `host:port`; times in seconds."""
    ours = {each.name: each.buckets for each in MEASURES if isinstance(each, Timing)}
    buckets = {name: list(bounds) for name, bounds in {**_SDK_BUCKETS, **ours}.items()}
    metrics = PrometheusConfig(
        bind_address=address, durations_as_seconds=True, histogram_bucket_overrides=buckets
    )
    runtime = Runtime(telemetry=TelemetryConfig(metrics=metrics))
    record_with(runtime.metric_meter)
    return runtime


@cache
def _in_registry(measure: Measure) -> Record:
    """Once a process: the registry refuses a name that it has."""
    match measure:
        case Timing(name=name, what=what, labels=names, buckets=buckets):
            histogram = Histogram(name, what, names, buckets=buckets)
            return lambda seconds, labels: histogram.labels(**labels).observe(seconds)
        case Count(name=name, what=what, labels=names):
            counter = Counter(name, what, names)
            if not names:
                return lambda value, _labels: counter.inc(value)
            return lambda value, labels: counter.labels(**labels).inc(value)
        case Level(name=name, what=what):
            gauge = Gauge(name, what)
            return lambda value, _labels: gauge.set(value)
    raise TypeError(f"{measure.name} is of no kind that a registry has")


def _by_meter(measure: Measure, meter: MetricMeter) -> Record:
    name, what = measure.name, measure.what
    match measure:
        case Timing():
            histogram = meter.create_histogram_float(name, what, "s")
            return histogram.record
        case Count():
            counter = meter.create_counter(name, what)
            return lambda value, labels: counter.add(int(value), labels)
        case Level():
            return meter.create_gauge_float(name, what).set
    raise TypeError(f"{name} is of no kind that a meter has")
