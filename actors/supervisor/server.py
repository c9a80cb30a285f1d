"""The page `/metrics` on loopback, in a thread of its own, rendered anew at each request."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.supervisor.metrics import families, histograms
from protocols.messages.control import SystemStatus

HOST = "127.0.0.1"
PORTS_TRIED_MAX = 20


class StatusCollector(Collector):
    """Turns the system's status into Prometheus' families."""

    def __init__(self, status: Callable[[], SystemStatus]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Everything as of now."""
        status = self._status()
        for family in families(status):
            metric = GaugeMetricFamily(family.name, family.text, labels=list(_label_names(family.samples)))
            for sample in family.samples:
                metric.add_metric(list(sample.labels.values()), sample.value)
            yield metric
        merged: HistogramMetricFamily | None = None
        for histogram in histograms(status):
            if merged is None:
                merged = HistogramMetricFamily(histogram.name, histogram.text, labels=list(histogram.labels))
            merged.add_metric(list(histogram.labels.values()), buckets=histogram.buckets, sum_value=histogram.sum)
        if merged is not None:
            yield merged


class MetricsServer:
    """Serves one status function; `warning` tells when it had to take another port."""

    def __init__(self, status: Callable[[], SystemStatus]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(StatusCollector(status))
        self._server: Any = None
        self.warning = ""

    def start(self, port: int) -> str:
        """Listen on `port` (0: any), or on the next free one; returns the page's address, "" when there is none."""
        candidates = [0] if port == 0 else [*range(port, min(port + PORTS_TRIED_MAX, 65_536)), 0]
        for candidate in candidates:
            try:
                self._server, _ = start_http_server(candidate, addr=HOST, registry=self._registry)
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    self.warning = f"no metrics page: {error}"
                    return ""
                continue
            taken = self._server.server_port
            if port and taken != port:
                self.warning = f"port {port} is in use: metrics are on port {taken}"
            return f"http://{HOST}:{taken}/metrics"
        self.warning = "no metrics page: no port is free"
        return ""

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _label_names(samples: list[Any]) -> tuple[str, ...]:
    return tuple(samples[0].labels) if samples else ()
