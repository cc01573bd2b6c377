"""Metrics of user code, on the same scrape as those of the serving layer."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence

# The runner sets the function that sends a change to the host.
_send: Callable[[list], None] = lambda change: None


def _emit(kind: str, name: str, options: Dict[str, Any], value: float, labels: Optional[Dict[str, Any]]) -> None:
    texts = {key: str(text) for key, text in (labels or {}).items()}
    _send([kind, name, options, float(value), texts])


def connect(send: Callable[[list], None]) -> None:
    """Sets the function that takes changes."""
    global _send
    _send = send


class _Metric:
    _kind = ""

    def __init__(self, name: str, description: str = "", labels: Sequence[str] = (), **options: Any) -> None:
        self._name = name
        self._options = {"labels": list(labels), **options}
        if description:
            self._options["help"] = description


class Counter(_Metric):
    """A number that only grows."""

    _kind = "counter"

    def inc(self, value: float = 1, labels: Optional[Dict[str, Any]] = None) -> None:
        """Adds ``value``, which is at least 0."""
        if value < 0:
            raise ValueError(f"{self._name}: a counter can only increase")
        _emit(self._kind, self._name, self._options, value, labels)


class Gauge(_Metric):
    """A number that rises and falls."""

    _kind = "gauge"

    def set(self, value: float, labels: Optional[Dict[str, Any]] = None) -> None:
        """Sets the value."""
        _emit(self._kind, self._name, self._options, value, labels)


class Histogram(_Metric):
    """The distribution of values over buckets."""

    _kind = "histogram"

    def observe(self, value: float, labels: Optional[Dict[str, Any]] = None) -> None:
        """Counts a value."""
        _emit(self._kind, self._name, self._options, value, labels)


class metrics:
    """``metrics.counter(name)``, ``metrics.gauge(name)``, ``metrics.histogram(name, buckets=[…])``."""

    @staticmethod
    def counter(name: str, description: str = "", labels: Sequence[str] = ()) -> Counter:
        """A counter; it carries the labels ``app`` and ``deployment`` besides its own."""
        return Counter(name, description, labels)

    @staticmethod
    def gauge(name: str, description: str = "", labels: Sequence[str] = ()) -> Gauge:
        """A gauge; it carries the label ``rank`` as well."""
        return Gauge(name, description, labels)

    @staticmethod
    def histogram(
        name: str, description: str = "", labels: Sequence[str] = (), buckets: Optional[List[float]] = None
    ) -> Histogram:
        """A histogram; ``buckets`` are upper bounds in ascending order."""
        return Histogram(name, description, labels, **({} if buckets is None else {"buckets": buckets}))
