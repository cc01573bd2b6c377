"""Handles to other deployments, as user code in Python sees them."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import deque
from typing import Any, Callable, Dict, Optional

from ._context import current
from ._errors import ServeError
from ._wire import CHILD, CHILD_CANCEL, CHILD_CREDIT

_WINDOW = 64
_CREDIT_GROUP = 16

# The names of handle options in Python, and in JavaScript.
_OPTIONS = {
    "timeout_s": "timeoutMs",
    "multiplexed_model_id": "multiplexedModelId",
    "priority": "priority",
    "tenant": "tenant",
    "session_id": "sessionId",
    "idempotency_key": "idempotencyKey",
    "prefer_local": "preferLocal",
}


class DeploymentResponse:
    """
    The result of a remote call. ``await`` it in async code, use ``.result()`` in sync code; the response of a generator
    method is iterated with ``async for`` or ``for``.
    """

    def __init__(self, calls: "ChildCalls", call_id: int) -> None:
        self._calls = calls
        self._id = call_id
        self._condition = threading.Condition()
        self._is_done = False
        self._value: Any = None
        self._error: Optional[BaseException] = None
        self._chunks: deque = deque()
        self._taken = 0
        self._listeners: list = []

    def _changed(self) -> None:
        with self._condition:
            self._condition.notify_all()
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    def _settle(self, value: Any, error: Optional[BaseException]) -> None:
        if self._is_done:
            return
        self._value = value
        self._error = error
        self._is_done = True
        self._changed()

    def _push(self, chunk: Any) -> None:
        self._chunks.append(chunk)
        self._changed()

    def _listen(self, listener: Callable[[], None]) -> None:
        """Calls the listener once, at the next change, or at once if something is there already."""
        with self._condition:
            if not self._is_done and not self._chunks:
                self._listeners.append(listener)
                return
        listener()

    def cancel(self) -> None:
        """Cancels the call."""
        self._calls.cancel(self._id)

    def result(self, timeout_s: Optional[float] = None) -> Any:
        """
        Blocks until the result is there.

        :raises TimeoutError: after ``timeout_s`` seconds; the call goes on, and a later ``result()`` may succeed
        :raises RuntimeError: in async code, where it would block the event loop
        """
        _forbid_blocking()
        with self._condition:
            if not self._condition.wait_for(lambda: self._is_done, timeout_s):
                raise TimeoutError(f"no result after {timeout_s} s")
        return self._outcome()

    def _outcome(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value

    def __await__(self) -> Any:
        return self._wait_done().__await__()

    async def _wait_done(self) -> Any:
        while not self._is_done:
            await self._change(lambda: self._is_done)
        return self._outcome()

    async def _change(self, is_met: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def wake() -> None:
            loop.call_soon_threadsafe(lambda: future.done() or future.set_result(None))

        with self._condition:
            if is_met():
                return
            self._listeners.append(wake)
        try:
            await future
        except asyncio.CancelledError:
            self.cancel()
            raise

    def _take(self) -> Any:
        chunk = self._chunks.popleft()
        self._taken += 1
        if self._taken % _CREDIT_GROUP == 0:
            self._calls.credit(self._id, _CREDIT_GROUP)
        return chunk

    def __aiter__(self) -> "DeploymentResponse":
        return self

    async def __anext__(self) -> Any:
        while not self._chunks and not self._is_done:
            await self._change(lambda: bool(self._chunks) or self._is_done)
        if self._chunks:
            return self._take()
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Ends the stream early."""
        self.cancel()

    def __iter__(self) -> "DeploymentResponse":
        return self

    def __next__(self) -> Any:
        _forbid_blocking()
        with self._condition:
            self._condition.wait_for(lambda: bool(self._chunks) or self._is_done)
        if self._chunks:
            return self._take()
        if self._error is not None:
            raise self._error
        raise StopIteration


def _forbid_blocking() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    if asyncio.current_task() is not None:
        raise RuntimeError("the result of a remote call would block the event loop: await it")


class RemoteMethod:
    """One method of a handle."""

    __slots__ = ("_handle", "_name")

    def __init__(self, handle: "DeploymentHandle", name: str) -> None:
        self._handle = handle
        self._name = name

    def remote(self, *args: Any, **kwargs: Any) -> DeploymentResponse:
        """Calls the method. Never raises: a failure is that of the response."""
        return self._handle._calls.start(self._handle, self._name, args, kwargs)


class DeploymentHandle:
    """
    A handle to another deployment: ``await handle.remote(x)`` calls it, ``handle.method.remote(x)`` one of its methods.
    """

    def __init__(self, calls: "ChildCalls", handle_id: int, options: Optional[Dict[str, Any]] = None) -> None:
        self._calls = calls
        self._id = handle_id
        self._options = options or {}

    def remote(self, *args: Any, **kwargs: Any) -> DeploymentResponse:
        """Calls the deployment's ``call`` (``__call__`` in Python)."""
        return self._calls.start(self, "call", args, kwargs)

    def options(self, stream: bool = False, **changes: Any) -> "DeploymentHandle":
        """
        A handle with other options: ``timeout_s``, ``multiplexed_model_id``, ``priority``, ``tenant``, ``session_id``,
        ``idempotency_key``, ``prefer_local``. ``stream`` is accepted and has no effect: streams are recognized.
        """
        options = dict(self._options)
        for name, value in changes.items():
            if name not in _OPTIONS:
                raise TypeError(f"handle.options(): unknown option {name!r}; allowed: {', '.join(_OPTIONS)}")
            options[_OPTIONS[name]] = value * 1000 if name == "timeout_s" else value
        return DeploymentHandle(self._calls, self._id, options)

    def __getattr__(self, name: str) -> RemoteMethod:
        if name.startswith("_"):
            raise AttributeError(name)
        method = RemoteMethod(self, name)
        self.__dict__[name] = method
        return method

    def __repr__(self) -> str:
        return f"DeploymentHandle({self._id})"


class ChildCalls:
    """The calls that this process makes through its host."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._ids = itertools.count(1)
        self._open: Dict[int, DeploymentResponse] = {}

    def handle(self, handle_id: int) -> DeploymentHandle:
        """The handle of an id."""
        return DeploymentHandle(self, handle_id)

    @staticmethod
    def id_of(value: Any) -> Optional[int]:
        """The id of a handle; ``None`` for any other value."""
        return value._id if type(value) is DeploymentHandle else None

    def start(self, handle: DeploymentHandle, method: str, args: tuple, kwargs: dict) -> DeploymentResponse:
        """Starts a call; responses among its arguments are resolved first."""
        call_id = next(self._ids)
        response = DeploymentResponse(self, call_id)
        scope = current.get()
        ended = scope._ended() if scope._call_id >= 0 else None
        if ended is not None:
            response._settle(None, ended)
            return response
        self._open[call_id] = response
        pending = [arg for arg in args if type(arg) is DeploymentResponse and not arg._is_done]
        if pending:
            self._send_after(pending, response, handle, method, args, kwargs, scope._call_id)
        else:
            self._send(response, handle, method, args, kwargs, scope._call_id)
        return response

    def _send_after(
        self, pending: list, response: DeploymentResponse, handle: DeploymentHandle,
        method: str, args: tuple, kwargs: dict, parent: int,
    ) -> None:
        waiting = [len(pending)]
        lock = threading.Lock()

        def resolved() -> None:
            with lock:
                waiting[0] -= 1
                if waiting[0] > 0:
                    return
            self._send(response, handle, method, args, kwargs, parent)

        for other in pending:
            other._listen(resolved)

    def _send(
        self, response: DeploymentResponse, handle: DeploymentHandle, method: str,
        args: tuple, kwargs: dict, parent: int,
    ) -> None:
        if response._is_done:
            return
        try:
            values = [arg._outcome() if type(arg) is DeploymentResponse else arg for arg in args]
            encoder = self._connection.encoder()
            text, marks = encoder.encode([values, kwargs] if kwargs else [values])
            options, _ = self._connection.encoder().encode([method, handle._options])
            frame = f"[{CHILD},{response._id},{parent},{handle._id},{options},{text},{marks or 0}]"
            self._connection.send([frame], encoder.attachments)
        except BaseException as error:
            self._open.pop(response._id, None)
            response._settle(None, error)

    def cancel(self, call_id: int) -> None:
        """Cancels a call that has not ended."""
        response = self._open.pop(call_id, None)
        if response is None:
            return
        try:
            self._connection.send_frame(f"[{CHILD_CANCEL},{call_id}]")
        except OSError:
            pass
        response._settle(None, ServeError("SERVE_CANCELLED", "the call was cancelled"))

    def credit(self, call_id: int, chunks: int) -> None:
        """Lets the other side send more chunks."""
        if call_id in self._open:
            self._connection.send_frame(f"[{CHILD_CREDIT},{call_id},{chunks}]")

    def result(self, call_id: int, value: Any) -> None:
        """The call ended with a value."""
        response = self._open.pop(call_id, None)
        if response is not None:
            response._settle(value, None)

    def error(self, call_id: int, error: BaseException) -> None:
        """The call failed."""
        response = self._open.pop(call_id, None)
        if response is not None:
            response._settle(None, error)

    def chunk(self, call_id: int, value: Any) -> None:
        """The call's stream has a value."""
        response = self._open.get(call_id)
        if response is not None:
            response._push(value)

