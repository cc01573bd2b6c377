"""``@batch``: a method that takes a list. Remote calls are collected by the host, calls within Python here."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import Any, Callable, Dict, List, Optional


_QUEUES = "_inserve_batch_queues"


def batch(
    function: Optional[Callable] = None,
    *,
    max_batch_size: int = 10,
    batch_wait_timeout_s: float = 0.01,
    max_concurrent_batches: int = 1,
    stack: bool = False,
) -> Any:
    """
    Makes a method that takes a list of items and returns a list of results callable with one item. Remote calls are
    collected into lists by the host; within Python ``await self.method(item)`` collects calls of this process.

    A generator function yields lists, and each caller gets the stream of its own values. A result that is an exception
    makes only its item fail. With ``stack=True`` items of one dtype and shape arrive as one array.

    :param max_batch_size: the most items of a batch
    :param batch_wait_timeout_s: how long the first item waits for others, in seconds
    :param max_concurrent_batches: the most batches that run at a time
    """
    if max_batch_size < 1 or batch_wait_timeout_s < 0 or max_concurrent_batches < 1:
        raise ValueError("batch: max_batch_size and max_concurrent_batches are at least 1, the wait at least 0")

    def decorate(inner: Callable) -> Callable:
        @functools.wraps(inner)
        def call(*args: Any) -> Any:
            owner, item = args if len(args) == 2 else (None, args[0])
            return _queue_of(owner, inner, options).add(item)

        options = {
            "maxBatchSize": max_batch_size,
            "batchWaitTimeoutMs": batch_wait_timeout_s * 1000,
            "maxConcurrentBatches": max_concurrent_batches,
            "stack": stack,
        }
        call.inserve_batch = options  # type: ignore[attr-defined]
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


def _queue_of(owner: Any, inner: Callable, options: Dict[str, Any]) -> "_Queue":
    holder = inner if owner is None else owner
    queues = holder.__dict__.setdefault(_QUEUES, {})
    queue = queues.get(inner)
    if queue is None:
        queue = queues[inner] = _Queue(owner, inner, options)
    return queue


class _Queue:
    """Collects the calls that code of this process makes. Lives on the event loop."""

    def __init__(self, owner: Any, inner: Callable, options: Dict[str, Any]) -> None:
        self._call = inner if owner is None else functools.partial(inner, owner)
        self._options = options
        self._items: List[Any] = []
        self._timer: Optional[asyncio.TimerHandle] = None
        self._running = 0

    async def add(self, item: Any) -> Any:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._items.append((item, future))
        self._schedule(loop)
        return await future

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._running >= self._options["maxConcurrentBatches"] or not self._items:
            return
        if len(self._items) >= self._options["maxBatchSize"]:
            self._start(loop)
        elif self._timer is None:
            wait = self._options["batchWaitTimeoutMs"] / 1000
            self._timer = loop.call_later(wait, self._start, loop)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        size = self._options["maxBatchSize"]
        waiting = [pair for pair in self._items if not pair[1].done()]
        items, self._items = waiting[:size], waiting[size:]
        if items:
            self._running += 1
            task = loop.create_task(self._run(items))
            task.add_done_callback(lambda _: self._ended(loop))
        self._schedule(loop)

    def _ended(self, loop: asyncio.AbstractEventLoop) -> None:
        self._running -= 1
        self._schedule(loop)

    async def _run(self, items: List[Any]) -> None:
        try:
            results = self._call([item for item, _ in items])
            if inspect.isawaitable(results):
                results = await results
            if not hasattr(results, "__len__") or len(results) != len(items):
                raise wrong_length(results, len(items))
        except Exception as error:
            for _, future in items:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(items, results):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)


def wrong_length(results: Any, expected: int) -> TypeError:
    """The error of a batched function that returned another number of results."""
    got = f"{len(results)}" if hasattr(results, "__len__") else type(results).__name__
    return TypeError(
        f"a batched function must return one result per item: {expected} items came in, {got} out"
    )


