"""Runs calls: sync methods on the main thread in order (or in a pool), async methods as tasks, generators as streams."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional

from ._batch import with_ends, wrong_length
from ._connection import Connection, Outbox
from ._context import CallContext, current
from ._encode import Encoder, NotSerializable, encode_error
from ._errors import ServeError
from ._request import response_of
from ._tensor import memory_of
from ._user_code import Method
from ._wire import CHUNK, END, ERROR, OPEN, RESULT

# Chunks that a stream sends before the reader must have taken some.
WINDOW = 64
# The event loop turns at least this often between sync calls, in seconds.
_TURN_S = 0.005
# Types of most results, which are neither awaited nor iterated: to ask `inspect` takes a tenth of a short call.
_FINISHED = frozenset((dict, list, tuple, str, int, float, bool, bytes, type(None)))
# Results wait only for methods whose last call took less than this, in seconds.
_SLOW_S = 0.0005


class Call(CallContext):
    """One call while it runs."""

    __slots__ = ("id", "method", "args", "kwargs", "task", "credits", "on_credit", "is_done", "is_started")

    def __init__(self, call_id: int, method: Method, args: List[Any], kwargs: Dict[str, Any], meta: Any) -> None:
        super().__init__(call_id, meta)
        self.id = call_id
        self.method = method
        self.args = args
        self.kwargs = kwargs
        self.task: Optional[asyncio.Task] = None
        self.credits = WINDOW
        self.on_credit: Optional[Callable[[], None]] = None
        self.is_done = False
        self.is_started = False

    @property
    def is_http(self) -> bool:
        return "h" in self._meta


class Executor:
    """Runs the calls of a replica. Everything but ``cancel`` and the pool runs on the main thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: Connection, threads: int) -> None:
        self._loop = loop
        self._connection = connection
        self._outbox = Outbox(connection)
        self._open: Dict[int, Call] = {}
        self._waiting: Deque[Call] = deque()
        self._is_scheduled = False
        self._is_flushing = False
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="inserve") if threads > 0 else None

    @property
    def open_calls(self) -> int:
        """The number of calls that have not ended."""
        return len(self._open)

    def accept(self, calls: List[Call]) -> None:
        """Starts the calls of one message."""
        for call in calls:
            if call.method.kind == "sync" or call.method.kind == "generator":
                if self._pool is None:
                    self._waiting.append(call)
                else:
                    self._submit(call)
            else:
                self._start_task(call)
        self._run_waiting()

    def register(self, call: Call) -> None:
        """Makes a call known for cancellation. Called on the receiving thread."""
        self._open[call.id] = call

    def cancel(self, call_id: int, code: str) -> None:
        """Cancels a call. Called on the receiving thread, also while user code runs."""
        call = self._open.get(call_id)
        if call is None:
            return
        call._cancel(code)
        if call.method.kind.startswith("async") or call.on_credit is not None:
            self._loop.call_soon_threadsafe(self._cancelled, call)

    def credit(self, call_id: int, chunks: int) -> None:
        """Lets a stream send more. Called on the receiving thread."""
        call = self._open.get(call_id)
        if call is not None:
            self._loop.call_soon_threadsafe(self._credited, call, chunks)

    def _cancelled(self, call: Call) -> None:
        if call.task is not None:
            call.task.cancel()
        self._wake(call)

    def _credited(self, call: Call, chunks: int) -> None:
        call.credits += chunks
        self._wake(call)

    @staticmethod
    def _wake(call: Call) -> None:
        wake, call.on_credit = call.on_credit, None
        if wake is not None:
            wake()

    # Sync methods on the main thread.

    def _run_waiting(self) -> None:
        self._is_scheduled = False
        waiting = self._waiting
        since = now = time.perf_counter()
        while waiting:
            call = waiting.popleft()
            method = call.method
            if method.is_slow and not self._outbox.is_empty:
                # Results of quick calls do not wait for a slow one.
                self._outbox.flush()
            if method.kind == "generator":
                self._start_generator(call)
            else:
                self._run_sync(call)
            before, now = now, time.perf_counter()
            method.is_slow = now - before > _SLOW_S
            if waiting and now - since > _TURN_S:
                self._is_scheduled = True
                self._loop.call_soon(self._run_waiting)
                break
        self._outbox.flush()

    def _run_sync(self, call: Call) -> None:
        ended = call._ended()
        if ended is not None:
            self._fail(call, ended)
            return
        token = current.set(call)
        try:
            value = call.method.function(*call.args, **call.kwargs)
            if type(value) in _FINISHED:
                self._finish(call, value)
                return
            if inspect.isawaitable(value):
                # A sync function that returns the awaitable of another one.
                self._start_task(call, value)
                return
            if inspect.isgenerator(value):
                self._start_generator(call, value)
                return
            self._finish(call, value)
        except BaseException as error:
            self._raised(call, error)
        finally:
            current.reset(token)

    def _raised(self, call: Call, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            raise error
        if isinstance(error, SystemExit):
            # Reported by the runner, which ends with this code.
            self._outbox.flush()
            raise error
        if isinstance(error, asyncio.CancelledError):
            error = call._ended() or ServeError("SERVE_CANCELLED", "the task of the call was cancelled")
        self._fail(call, error)

    # Sync methods in the pool.

    def _submit(self, call: Call) -> None:
        assert self._pool is not None
        scope = contextvars.copy_context()
        scope.run(current.set, call)
        self._pool.submit(scope.run, self._run_in_pool, call)

    def _run_in_pool(self, call: Call) -> None:
        outbox = Outbox(self._connection)
        try:
            ended = call._ended()
            if ended is not None:
                raise ended
            value = call.method.function(*call.args, **call.kwargs)
            if inspect.isgenerator(value):
                self._loop.call_soon_threadsafe(self._start_generator, call, value)
                return
            if inspect.isawaitable(value):
                self._loop.call_soon_threadsafe(self._start_task, call, value)
                return
            self._finish(call, value, outbox)
        except SystemExit as error:
            self._loop.call_soon_threadsafe(self._exit, error)
            return
        except BaseException as error:
            self._fail(call, error, outbox)
        outbox.flush()

    @staticmethod
    def _exit(error: SystemExit) -> None:
        raise error

    # Async methods.

    def _start_task(self, call: Call, awaitable: Any = None) -> None:
        ended = call._ended()
        if ended is not None:
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            self._fail(call, ended)
            self._flush_soon()
            return
        scope = contextvars.copy_context()
        scope.run(current.set, call)
        call.task = scope.run(self._loop.create_task, self._run_task(call, awaitable))

    async def _run_task(self, call: Call, awaitable: Any) -> None:
        try:
            if call.method.kind == "async generator":
                await self._pump(call, call.method.function(*call.args, **call.kwargs))
                return
            value = await (call.method.function(*call.args, **call.kwargs) if awaitable is None else awaitable)
            if hasattr(value, "__aiter__") or inspect.isgenerator(value):
                await self._pump(call, value)
            else:
                self._finish(call, value)
        except BaseException as error:
            self._raised(call, error)
        finally:
            self._flush_soon()

    # Streams.

    async def _pump(self, call: Call, source: Any) -> None:
        try:
            self._open_stream(call)
            if hasattr(source, "__aiter__"):
                async for value in source:
                    await self._push(call, value)
            else:
                for value in source:
                    await self._push(call, value)
                    await asyncio.sleep(0)
            self._end(call)
        finally:
            close = getattr(source, "aclose", None) or getattr(source, "close", None)
            if close is not None:
                closing = close()
                if inspect.isawaitable(closing):
                    await closing

    async def _push(self, call: Call, value: Any) -> None:
        while call.credits <= 0 and not call.cancelled:
            future = self._loop.create_future()
            call.on_credit = lambda: None if future.done() else future.set_result(None)
            await future
        if call._cancelled is not None:
            raise asyncio.CancelledError
        call.credits -= 1
        self._send_chunk(call, value)
        self._flush_soon()

    def _start_generator(self, call: Call, generator: Optional[Iterator[Any]] = None) -> None:
        """Iterates a sync generator, with a turn of the event loop between two values."""
        ended = call._ended()
        if ended is not None:
            self._fail(call, ended)
            self._flush_soon()
            return
        scope = contextvars.copy_context()
        scope.run(current.set, call)
        if generator is None:
            try:
                generator = scope.run(call.method.function, *call.args, **call.kwargs)
            except BaseException as error:
                # Such as a TypeError, because the arguments do not fit.
                self._raised(call, error)
                return
        call.is_started = True
        if hasattr(generator, "close") and self._pool is not None:
            call.task = scope.run(self._loop.create_task, self._pump_in_pool(call, generator, scope))
            return
        self._open_stream(call)
        self._step(call, generator, scope)

    def _step(self, call: Call, generator: Any, scope: contextvars.Context) -> None:
        if call.cancelled:
            self._leave(call, generator, scope)
            return
        if call.credits <= 0:
            call.on_credit = lambda: self._step(call, generator, scope)
            return
        try:
            value = scope.run(next, generator)
        except StopIteration:
            self._end(call)
        except BaseException as error:
            self._raised(call, error)
        else:
            try:
                call.credits -= 1
                self._send_chunk(call, value)
            except BaseException as error:
                generator.close()
                self._raised(call, error)
            else:
                # Before the next value is computed, which may take long.
                self._flush_soon()
                self._loop.call_soon(self._step, call, generator, scope)
                return
        self._flush_soon()

    def _leave(self, call: Call, generator: Any, scope: contextvars.Context) -> None:
        try:
            scope.run(generator.close)
        except BaseException:
            pass
        self._fail(call, call._ended() or ServeError("SERVE_CANCELLED", "the reader of the stream left"))
        self._flush_soon()

    async def _pump_in_pool(self, call: Call, generator: Any, scope: contextvars.Context) -> None:
        done = object()
        try:
            self._open_stream(call)
            while True:
                value = await self._loop.run_in_executor(self._pool, scope.run, next, generator, done)
                if value is done:
                    break
                await self._push(call, value)
            self._end(call)
        except BaseException as error:
            try:
                generator.close()
            except BaseException:
                pass
            self._raised(call, error)
        finally:
            self._flush_soon()

    def _open_stream(self, call: Call) -> None:
        self._outbox.add(f"[{OPEN},{call.id}]")
        self._flush_soon()

    def _send_chunk(self, call: Call, value: Any) -> None:
        encoder = self._outbox.encoder
        text, marks = self._encode(call, with_ends(value) if "b" in call._meta else value, encoder)
        self._outbox.add(f"[{CHUNK},{call.id},{text},{marks}]" if marks else f"[{CHUNK},{call.id},{text}]")

    def _end(self, call: Call) -> None:
        if self._settle(call):
            self._outbox.add(f"[{END},{call.id}]")

    # Outcomes.

    def _settle(self, call: Call) -> bool:
        if call.is_done:
            return False
        call.is_done = True
        self._open.pop(call.id, None)
        return True

    def _encode(self, call: Call, value: Any, encoder: Encoder) -> Any:
        response = response_of(value) if call.is_http else None
        try:
            return encoder.encode(value if response is None else response)
        except NotSerializable as error:
            raise ServeError("SERVE_NOT_SERIALIZABLE", f"{call.method.name}(result){error}") from None

    def _finish(self, call: Call, value: Any, outbox: Optional[Outbox] = None) -> None:
        outbox = outbox or self._outbox
        if "b" in call._meta and memory_of(value) is None:
            if not isinstance(value, (list, tuple)) or len(value) != len(call._meta["b"]):
                raise wrong_length(value, len(call._meta["b"]))
        text, marks = self._encode(call, value, outbox.encoder)
        if self._settle(call):
            outbox.add(f"[{RESULT},{call.id},{text},{marks}]" if marks else f"[{RESULT},{call.id},{text}]")

    def _fail(self, call: Call, error: BaseException, outbox: Optional[Outbox] = None) -> None:
        outbox = outbox or self._outbox
        if not self._settle(call):
            return
        text, marks = encode_error(outbox.encoder, error)
        outbox.add(f"[{ERROR},{call.id},{text},{marks or 0}]")

    def _flush_soon(self) -> None:
        if not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flushing = False
        self._outbox.flush()
