"""What `serve` tells Prometheus out of the database, in a registry of its own.

A gauge that nobody sets is 0 and looks healthy: a process that does not look, as a worker, shows none.
"""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Gauge

SEEN = CollectorRegistry()


def seen_gauge(name: str, said: str, labels: Sequence[str] = ()) -> Gauge:
    """A gauge of what stands in the database."""
    return Gauge(name, said, labels, registry=SEEN)
