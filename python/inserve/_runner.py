"""The process of a replica: receives frames, starts the user's code, answers the host."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import inspect
import os
import platform
import signal
import sys
import threading
import time
import traceback
from typing import Any, Dict, List, Optional

from . import _batch, _metrics, _multiplexed
from ._calls import Call, Executor
from ._connection import Connection
from ._context import CallContext
from ._decode import BadMessage, Decoder
from ._encode import NotSerializable, dumps, encode_error
from ._errors import ServeError
from ._handles import ChildCalls
from ._lifeline import end_group
from ._logs import forward_logs
from ._user_code import Method, construct, describe, find_target, methods_of
from ._websocket import WebSocket
from ._wire import (
    ANSWER, ASK, BATCH, CALL, CANCEL, CHILD_CHUNK, CHILD_END, CHILD_ERROR, CHILD_RESULT, CREDIT, HELLO, METRIC, MODELS,
    PROTOCOL, REFUSAL, TICK,
)

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4_096
# Exit code of a process that received what it does not understand.
_BROKEN_LINK = 70
_CODES = ("SERVE_CANCELLED", "SERVE_TIMEOUT")


def write_stacks_to(fd: int) -> None:
    """
    Writes the stacks of all threads when the host asks by a signal, also while user code holds the interpreter, and to
    standard error when a library crashes.
    """
    faulthandler.enable()
    if hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR2, file=fd, all_threads=True)


def resident_bytes() -> int:
    """The resident memory of this process."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        pass
    try:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    except ImportError:
        return 0


class Runner:
    """Wires the parts of a replica's process together."""

    def __init__(self, fd: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._connection = Connection(fd, ChildCalls.id_of)
        self._children = ChildCalls(self._connection)
        self._executor: Optional[Executor] = None
        self._instance: Any = None
        self._methods: Dict[str, Method] = {}
        self._tick_s = 0.5
        self._is_ending = False

    def run(self) -> int:
        """Runs until the host closes the link. @returns the exit code"""
        asyncio.set_event_loop(self._loop)
        hello = [PROTOCOL, platform.python_version(), os.getpid()]
        self._connection.send_frame(f"[{HELLO},{dumps(hello)[1:-1]}]")
        threading.Thread(target=self._receive, name="inserve-link", daemon=True).start()
        self._loop.call_soon(self._tick)
        try:
            self._loop.run_forever()
        except SystemExit as error:
            return error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        return 0

    # The link's thread.

    def _receive(self) -> None:
        try:
            self._connection.receive(self._deliver)
        except OSError:
            pass
        except BaseException:
            # Without this thread the process would hang.
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(_BROKEN_LINK)
        # The host is gone, or wants this process to be gone: neither user code that runs nor programs that it started may stay.
        end_group()

    def _deliver(self, frames: List[Any], attachments: List[memoryview]) -> None:
        decoder = Decoder(attachments, self._children.handle)
        calls: List[Call] = []
        for frame in frames:
            try:
                self._frame(frame, decoder, calls)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                raise BadMessage(f"a frame of kind {frame[0]} is malformed: {error}") from error
        executor = self._executor
        if calls and executor is not None:
            for call in calls:
                executor.register(call)
            self._loop.call_soon_threadsafe(executor.accept, calls)

    def _frame(self, frame: List[Any], decoder: Decoder, calls: List[Call]) -> None:
        kind = frame[0]
        if kind == CALL:
            _, call_id, name, values, marks, meta = frame
            values = decoder.decode(values, marks)
            kwargs = values[1] if len(values) > 1 else {}
            args = values[0]
            if name == "websocket":
                args[0] = WebSocket(self._children.handle(args[0]))
            calls.append(Call(call_id, self._methods[name], args, kwargs, meta))
        elif kind == CANCEL:
            if self._executor is not None:
                self._drop(calls, frame[1], _CODES[frame[2]])
                self._executor.cancel(frame[1], _CODES[frame[2]])
        elif kind == CREDIT:
            if self._executor is not None:
                self._executor.credit(frame[1], frame[2])
        elif kind == CHILD_RESULT:
            self._children.result(frame[1], decoder.decode(frame[2], frame[3]))
        elif kind == CHILD_ERROR:
            self._children.error(frame[1], decoder.decode(frame[2], frame[3]))
        elif kind == CHILD_CHUNK:
            self._children.chunk(frame[1], decoder.decode(frame[2], frame[3]))
        elif kind == CHILD_END:
            self._children.result(frame[1], None)
        elif kind == ASK:
            _, ask_id, what, value, marks = frame
            decoded = decoder.decode(value, marks)
            self._loop.call_soon_threadsafe(self._asked, ask_id, what, decoded)
        else:
            raise BadMessage(f"an unknown kind of frame: {kind!r}")

    @staticmethod
    def _drop(calls: List[Call], call_id: int, code: str) -> None:
        """Cancels a call of the same message, which is not registered yet."""
        for call in calls:
            if call.id == call_id:
                call._cancel(code)

    # The main thread.

    def _asked(self, ask_id: int, what: str, value: Any) -> None:
        self._loop.create_task(self._answer(ask_id, what, value))

    async def _answer(self, ask_id: int, what: str, value: Any) -> None:
        encoder = self._connection.encoder()
        try:
            result = await self._do(what, value)
            text, marks = encoder.encode(result)
        except SystemExit:
            raise
        except BaseException as error:
            encoder = self._connection.encoder()
            text, marks = encode_error(encoder, self._located(error, what))
            self._connection.send([f"[{REFUSAL},{ask_id},{text},{marks or 0}]"], encoder.attachments)
            return
        self._connection.send([f"[{ANSWER},{ask_id},{text},{marks or 0}]"], encoder.attachments)

    @staticmethod
    def _located(error: BaseException, what: str) -> BaseException:
        if isinstance(error, NotSerializable):
            return ServeError("SERVE_NOT_SERIALIZABLE", f"{what}(result){error}")
        if isinstance(error, ModuleNotFoundError):
            # Its text is `msg`, whatever `args` are.
            error.msg = f"{error} in {sys.executable}: install it there, or choose another interpreter"
        return error

    async def _do(self, what: str, value: Any) -> Any:
        if what == "import":
            return self._import(value)
        if what == "construct":
            return await self._construct(value)
        if what == "reconfigure":
            return await self._hook("reconfigure", value)
        if what == "health":
            return await self._hook("check_health")
        if what == "stats":
            return await self._hook("record_autoscaling_stats")
        if what == "weigh":
            return _batch.weight_of(self._methods[value[0]].source, value[1])
        if what == "tick":
            self._tick_s = value / 1000
            return None
        if what == "close":
            return await self._close()
        raise BadMessage(f"an unknown question {what!r}")

    def _import(self, init: Dict[str, Any]) -> None:
        CallContext.replica.update(init["replica"])
        self._tick_s = init["tickMs"] / 1000
        for folder in reversed(init["path"]):
            sys.path.insert(0, folder)
        forward_logs(init["logLevel"], self._connection.send_frame)
        _metrics.connect(lambda change: self._connection.send_frame(f"[{METRIC},{dumps(change)}]"))
        _multiplexed.listener.changed = lambda ids: self._connection.send_frame(f"[{MODELS},{dumps(ids)},0]")
        _multiplexed.listener.loaded = lambda ms: self._connection.send_frame(f"[{MODELS},0,{ms}]")
        _batch.Listener.changed = self._batch_changed
        self._executor = Executor(self._loop, self._connection, init["threads"])
        self._target = find_target(init["target"])

    def _batch_changed(self, name: str, changes: Dict[str, Any]) -> None:
        values = [name, changes.get("maxBatchSize"), changes.get("batchWaitTimeoutMs")]
        self._connection.send_frame(f"[{BATCH},{dumps(values)[1:-1]}]")

    async def _construct(self, values: List[Any]) -> Dict[str, Any]:
        args, kwargs = values
        self._instance = await construct(self._target, args, kwargs)
        self._methods = methods_of(self._instance)
        # What the constructor made lives as long as the process; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        return describe(self._instance, self._methods)

    async def _hook(self, name: str, *args: Any) -> Any:
        hook = getattr(self._instance, name, None)
        if not callable(hook):
            return None
        result = hook(*args)
        return await result if inspect.isawaitable(result) else result

    async def _close(self) -> None:
        """Runs the destructor once: ``aclose``, ``close``, or ``__del__``, which runs when the instance is dropped."""
        instance, self._instance = self._instance, None
        self._methods = {}
        await _multiplexed.clear_models()
        if instance is None or inspect.isroutine(instance):
            return
        for name in ("aclose", "close"):
            end = getattr(instance, name, None)
            if callable(end):
                result = end()
                if inspect.isawaitable(result):
                    await result
                return
        if hasattr(instance, "__del__"):
            gc.unfreeze()
            del instance
            gc.collect()

    def _tick(self) -> None:
        """Tells the host that the event loop turns, and how much memory the process uses."""
        busy = round(time.process_time(), 3)
        try:
            self._connection.send_frame(f"[{TICK},{resident_bytes()},{busy}]")
        except OSError:
            return
        self._loop.call_later(self._tick_s, self._tick)


