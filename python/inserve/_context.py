"""The context of the call that the current code runs in."""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar
from typing import Any, Dict, List, Optional

from ._errors import ServeError


class CallContext:
    """What ``context()`` returns: the identity of the replica, and of the call if there is one."""

    __slots__ = ("_meta", "_call_id", "_deadline", "_cancelled", "_event", "_items")

    # The replica that this process is.
    replica: Dict[str, Any] = {}

    def __init__(self, call_id: int = -1, meta: Optional[Dict[str, Any]] = None) -> None:
        self._call_id = call_id
        self._meta = meta or {}
        remaining = self._meta.get("d")
        self._deadline = None if remaining is None else time.monotonic() + remaining / 1000
        self._cancelled: Optional[str] = None
        self._event: Optional[threading.Event] = None
        self._items: Optional[List["CallContext"]] = None

    @property
    def app(self) -> str:
        """Name of the app."""
        return self.replica.get("app", "")

    @property
    def deployment(self) -> str:
        """Name of the deployment."""
        return self.replica.get("deployment", "")

    @property
    def replica_id(self) -> str:
        """Id of the replica."""
        return self.replica.get("replicaId", "")

    @property
    def rank(self) -> int:
        """Rank of the replica, unique among the replicas of its deployment."""
        return self.replica.get("rank", 0)

    @property
    def gpus(self) -> List[int]:
        """Numbers of the devices that are reserved for the replica, as its process counts them."""
        return self.replica.get("gpus", [])

    @property
    def request_id(self) -> str:
        """Id of the request; empty outside a call."""
        return self._meta.get("r", "")

    @property
    def multiplexed_model_id(self) -> str:
        """Model id that the caller set; empty if it set none."""
        return self._meta.get("m", "")

    @property
    def tenant(self) -> Optional[str]:
        """Tenant of the call."""
        return self._meta.get("t")

    @property
    def session_id(self) -> Optional[str]:
        """Session of the call."""
        return self._meta.get("s")

    @property
    def params(self) -> Dict[str, str]:
        """Path parameters of the HTTP request."""
        return self._meta.get("p", {})

    @property
    def mount_path(self) -> str:
        """Path below which the host serves the app; URLs in answers begin with it. Empty outside an HTTP request."""
        return self._meta.get("mp", "")

    @property
    def ip(self) -> Optional[str]:
        """Address of the HTTP client."""
        return self._meta.get("ip")

    @property
    def locals(self) -> Any:
        """What the host's ``locals(req)`` returned."""
        return self._meta.get("l")

    @property
    def items(self) -> Optional[List["CallContext"]]:
        """Inside a batch: the contexts of its callers."""
        if self._items is None and "b" in self._meta:
            self._items = [CallContext(-1, meta) for meta in self._meta["b"]]
        return self._items

    @property
    def time_left(self) -> Optional[float]:
        """Seconds until the deadline; ``None`` without a deadline."""
        return None if self._deadline is None else self._deadline - time.monotonic()

    @property
    def cancelled(self) -> bool:
        """Whether the caller has left or the deadline has passed; also true while a method runs without a pause."""
        return self._cancelled is not None or self._is_overdue()

    def raise_if_cancelled(self) -> None:
        """Raises ``ServeError`` if the call is over."""
        error = self._ended()
        if error is not None:
            raise error

    def wait_cancelled(self, timeout: Optional[float] = None) -> bool:
        """Blocks until the call is cancelled or ``timeout`` seconds have passed. @returns whether it is cancelled"""
        event = self._event
        if event is None:
            event = self._event = threading.Event()
        left = self.time_left
        if self.cancelled:
            return True
        event.wait(left if timeout is None else timeout if left is None else min(timeout, max(left, 0)))
        return self.cancelled

    def _is_overdue(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _cancel(self, code: str) -> None:
        self._cancelled = code
        if self._event is not None:
            self._event.set()

    def _ended(self) -> Optional[ServeError]:
        if self._cancelled is not None:
            reason = (
                "the deadline of the call passed"
                if self._cancelled == "SERVE_TIMEOUT"
                else "the caller cancelled the call"
            )
            return ServeError(self._cancelled, reason)
        if self._is_overdue():
            return ServeError("SERVE_TIMEOUT", "the deadline of the call passed")
        return None


_idle = CallContext()
current: ContextVar[CallContext] = ContextVar("inserve.call", default=_idle)


def context() -> CallContext:
    """The context of the current call; outside a call that of the replica."""
    return current.get()


def get_multiplexed_model_id() -> str:
    """The model id that the caller of the current call set; empty if it set none."""
    return current.get().multiplexed_model_id
