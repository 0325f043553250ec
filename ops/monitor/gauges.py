"""The names of what the monitor serves, and the latest of what each part has said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class Gauge:
    name: str
    what: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    gauge: Gauge
    value: float
    labels: tuple[str, ...] = ()


UP = Gauge(
    "fansworld_monitor_up", "1 if this part answered when it was last asked, else 0.", ("part",)
)
WAITING_COUNT = Gauge(
    "fansworld_waiting_count", "Rows that wait for their run, or for its next step.", ("kind",)
)
WAITING_SECONDS = Gauge(
    "fansworld_waiting_oldest_seconds", "How long the oldest of them has waited.", ("kind",)
)
PARKED_EVENTS = Gauge(
    "fansworld_stripe_events_parked", "Events of Stripe's that found no owner.", ("reason",)
)
IMBALANCE = Gauge(
    "fansworld_ledger_imbalance_minor",
    "Sum of all balances; anything but 0 is a fault.",
    ("currency",),
)
BREAKS = Gauge(
    "fansworld_reconciliation_breaks",
    "In how much ledger and Stripe differed when they were last compared.",
)
RECONCILED_SECONDS = Gauge(
    "fansworld_reconciliation_age_seconds",
    "How long ago they were last compared; if never, how long there has been what to compare.",
)
BACKUP_SECONDS = Gauge(
    "fansworld_backup_age_seconds",
    "How old what the newest backup shows is; missing where none was ever made.",
)
ATTENTION = Gauge(
    "fansworld_needs_attention", "Runs that wait for an operator, by kind of job.", ("job_kind",)
)
ATTENTION_ALL = Gauge("fansworld_needs_attention_runs", "Runs that wait for an operator.")
BACKLOG = Gauge("fansworld_queue_backlog", "Tasks that wait for a worker, about.", ("queue",))
BACKLOG_SECONDS = Gauge(
    "fansworld_queue_backlog_age_seconds", "How long the oldest of them has waited.", ("queue",)
)
POLLERS = Gauge(
    "fansworld_queue_pollers", "Workers that asked for work in the last minutes.", ("queue",)
)
SIGNATURES_SECONDS = Gauge(
    "fansworld_clamd_signatures_age_seconds",
    "Age of clamd's database; missing where it has hand-made signatures only.",
)

GAUGES = (
    *(UP, WAITING_COUNT, WAITING_SECONDS, PARKED_EVENTS, IMBALANCE, BREAKS, RECONCILED_SECONDS),
    *(ATTENTION, ATTENTION_ALL, BACKLOG, BACKLOG_SECONDS, POLLERS),
    *(BACKUP_SECONDS, SIGNATURES_SECONDS),
)


@dataclass(eq=False)
class Latest(Collector):
    """Served at each scrape. Of a part that failed nothing is shown but that it did: an old
    number would look like a new one."""

    _said: dict[str, tuple[Sample, ...]] = field(default_factory=dict)

    def put(self, part: str, samples: Iterable[Sample]) -> None:
        self._said[part] = (Sample(UP, 1, (part,)), *samples)

    def fail(self, part: str) -> bool:
        """Whether that is news."""
        failed = (Sample(UP, 0, (part,)),)
        is_news = self._said.get(part) != failed
        self._said[part] = failed
        return is_news

    def samples(self) -> Mapping[Gauge, list[Sample]]:
        by_gauge: dict[Gauge, list[Sample]] = {}
        for said in list(self._said.values()):
            for sample in said:
                by_gauge.setdefault(sample.gauge, []).append(sample)
        return by_gauge

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for gauge, samples in self.samples().items():
            family = GaugeMetricFamily(gauge.name, gauge.what, labels=gauge.labels)
            for sample in samples:
                family.add_metric(sample.labels, sample.value)
            yield family
