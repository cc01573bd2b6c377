"""``@batch``: a method that takes a list. Remote calls are collected by the host, calls within Python here."""

from __future__ import annotations

import asyncio
import collections
import functools
import inspect
import numbers
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

from ._errors import ServeError

_QUEUES = "_inserve_batch_queues"
# The most items of a batch, and the longest wait in milliseconds, that the host accepts.
_MOST = 2_147_483_647


class Listener:
    """Where the runner hears of changed options: it gets those that have changed."""

    changed: Callable[[str, Dict[str, Any]], None] = staticmethod(lambda name, changes: None)


class EndOfStream:
    """Takes the place of an item's next value to end the stream of that item."""

    def __inserve__(self) -> Tuple[str, None]:
        return "o", None


_END = EndOfStream()


def with_ends(values: Any) -> Any:
    """
    The values that a batched generator yielded, one per item. The class ``StopIteration`` or ``StopAsyncIteration`` in an
    item's place ends its stream.
    """
    if not isinstance(values, (list, tuple)):
        return values
    return [_END if value is StopIteration or value is StopAsyncIteration else value for value in values]


def batch(
    function: Optional[Callable] = None,
    *,
    max_batch_size: int = 10,
    batch_wait_timeout_s: float = 0.01,
    max_concurrent_batches: int = 1,
    batch_size_fn: Optional[Callable[[List[Any]], float]] = None,
    stack: bool = False,
) -> Any:
    """
    Makes a method that takes a list of items and returns a list of results callable with one item. Remote calls are
    collected into lists by the host; within Python ``await self.method(item)`` collects calls of this process.

    A generator function yields lists, and each caller gets the stream of its own values, which the class ``StopIteration``
    in its place ends. A result that is an exception makes only its item fail. With ``stack=True`` items of one dtype and
    shape arrive as one array. ``self.method.set_max_batch_size(n)`` and ``set_batch_wait_timeout_s(s)`` hold from the next
    batch on.

    :param max_batch_size: the most items of a batch
    :param batch_wait_timeout_s: how long the first item waits for others, in seconds
    :param max_concurrent_batches: the most batches that run at a time
    :param batch_size_fn: the weight of a list of one item; ``max_batch_size`` is then the greatest sum of the weights
    """
    if max_batch_size < 1 or batch_wait_timeout_s < 0 or max_concurrent_batches < 1:
        raise ValueError("batch: max_batch_size and max_concurrent_batches must be at least 1, the wait at least 0")

    def decorate(inner: Callable) -> Callable:
        @functools.wraps(inner)
        def call(*args: Any) -> Any:
            if not 1 <= len(args) <= 2:
                raise TypeError(f"{inner.__name__}: a batched function takes one argument, its item")
            owner, item = args if len(args) == 2 else (None, args[0])
            return _queue_of(owner, inner, options, batch_size_fn).add(item)

        options: Dict[str, Any] = {
            "maxBatchSize": max_batch_size,
            "batchWaitTimeoutMs": batch_wait_timeout_s * 1000,
            "maxConcurrentBatches": max_concurrent_batches,
            "stack": stack,
        }
        def change(**changes: Any) -> None:
            options.update(changes)
            Listener.changed("call" if inner.__name__ == "__call__" else inner.__name__, changes)

        def set_max_batch_size(size: int) -> None:
            is_whole = isinstance(size, numbers.Real) and not isinstance(size, bool) and size % 1 == 0
            if not is_whole or not 1 <= size <= _MOST:
                raise ValueError(f"set_max_batch_size: the size must be a whole number from 1 to {_MOST}, not {size!r}")
            change(maxBatchSize=int(size))

        def set_batch_wait_timeout_s(seconds: float) -> None:
            if not 0 <= seconds * 1000 <= _MOST:
                raise ValueError(f"set_batch_wait_timeout_s: the wait must be from 0 to {_MOST / 1000} s, not {seconds!r}")
            change(batchWaitTimeoutMs=float(seconds * 1000))

        if batch_size_fn is not None:
            options["weighed"] = True
        call.inserve_batch = options  # type: ignore[attr-defined]
        call.inserve_size_of = batch_size_fn  # type: ignore[attr-defined]
        call.set_max_batch_size = set_max_batch_size  # type: ignore[attr-defined]
        call.set_batch_wait_timeout_s = set_batch_wait_timeout_s  # type: ignore[attr-defined]
        return call

    return decorate if function is None else decorate(function)


def batch_options(method: Any) -> Optional[Dict[str, Any]]:
    """The options of a method that ``@batch`` decorates."""
    options = getattr(method, "inserve_batch", None)
    return options if isinstance(options, dict) else None


def list_method(owner: Any, method: Any) -> Callable:
    """The decorated function itself, which takes the list."""
    inner = method.__wrapped__
    return functools.partial(inner, owner) if inspect.ismethod(method) else inner


def weight_of(method: Any, item: Any) -> float:
    """The weight of an item of a method with ``batch_size_fn``."""
    return method.inserve_size_of([item])


def _queue_of(owner: Any, inner: Callable, options: Dict[str, Any], size_of: Optional[Callable]) -> "_Queue":
    holder = inner if owner is None else owner
    queues = holder.__dict__.setdefault(_QUEUES, {})
    queue = queues.get(inner)
    if queue is None:
        queue = queues[inner] = _Queue(owner, inner, options, size_of)
    return queue


class _Item:
    """An item with the future of its caller and its weight."""

    __slots__ = ("value", "future", "weight", "is_queued")

    def __init__(self, value: Any, future: asyncio.Future, weight: float) -> None:
        self.value = value
        self.future = future
        self.weight = weight
        self.is_queued = True


class _Queue:
    """Collects the calls that code of this process makes. Lives on the event loop."""

    def __init__(
        self, owner: Any, inner: Callable, options: Dict[str, Any], size_of: Optional[Callable[[List[Any]], float]]
    ) -> None:
        self._size_of = size_of
        self._call = inner if owner is None else functools.partial(inner, owner)
        self._options = options
        # In order of arrival; items whose callers have left are skipped when they come to the front.
        self._items: Deque[_Item] = collections.deque()
        # Sum of the weights of the items whose callers wait.
        self._weight = 0.0
        self._timer: Optional[asyncio.TimerHandle] = None
        self._running = 0

    async def add(self, value: Any) -> Any:
        loop = asyncio.get_running_loop()
        weight = 1 if self._size_of is None else self._size_of([value])
        most = self._options["maxBatchSize"]
        if not weight >= 0:
            raise ServeError("SERVE_INVALID_OPTION", f"batch_size_fn: got {weight!r}; allowed: a number of at least 0")
        if weight > most:
            raise ServeError("SERVE_INVALID_OPTION", f"an item of weight {weight} exceeds max_batch_size {most}")
        item = _Item(value, loop.create_future(), weight)
        self._items.append(item)
        self._weight += weight
        self._schedule(loop)
        try:
            return await item.future
        except asyncio.CancelledError:
            self._leave(item)
            raise

    def _leave(self, item: "_Item") -> None:
        """An item is not queued any more."""
        if item.is_queued:
            item.is_queued = False
            self._weight -= item.weight

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._running >= self._options["maxConcurrentBatches"] or not self._items:
            return
        if self._weight >= self._options["maxBatchSize"]:
            self._start(loop)
        elif self._timer is None:
            wait = self._options["batchWaitTimeoutMs"] / 1000
            self._timer = loop.call_later(wait, self._start, loop)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        items = self._take()
        if items:
            self._running += 1
            task = loop.create_task(self._run(items))
            task.add_done_callback(lambda _: self._ended(loop))
        self._schedule(loop)

    def _take(self) -> "List[_Item]":
        """Takes the items of the next batch off the queue: as many as fit, but at least one."""
        most = self._options["maxBatchSize"]
        taken: List[_Item] = []
        total = 0.0
        while self._items:
            item = self._items[0]
            if item.is_queued and not item.future.done():
                total += item.weight
                if taken and total > most:
                    break
                taken.append(item)
            self._items.popleft()
            self._leave(item)
        if not self._items:
            # Rounding errors of the sum end here.
            self._weight = 0.0
        return taken

    def _ended(self, loop: asyncio.AbstractEventLoop) -> None:
        self._running -= 1
        self._schedule(loop)

    async def _run(self, items: "List[_Item]") -> None:
        try:
            results = self._call([item.value for item in items])
            if inspect.isawaitable(results):
                results = await results
            if not hasattr(results, "__len__") or len(results) != len(items):
                raise wrong_length(results, len(items))
        except BaseException as error:
            for item in items:
                _fail(item.future, error)
            if not isinstance(error, Exception):
                raise
            return
        for item, result in zip(items, results):
            if isinstance(result, Exception):
                _fail(item.future, result)
            elif not item.future.done():
                item.future.set_result(result)


def _fail(future: asyncio.Future, error: BaseException) -> None:
    if future.done():
        return
    if isinstance(error, asyncio.CancelledError):
        future.cancel()
    elif isinstance(error, StopIteration):
        # A future refuses StopIteration itself.
        stopped = RuntimeError(f"a batched function raised {error!r}")
        stopped.__cause__ = error
        future.set_exception(stopped)
    else:
        future.set_exception(error)


def wrong_length(results: Any, expected: int) -> TypeError:
    """The error of a batched function that returned another number of results."""
    got = f"{len(results)}" if hasattr(results, "__len__") else type(results).__name__
    return TypeError(
        f"a batched function must return one result per item: {expected} items came in, {got} out"
    )


