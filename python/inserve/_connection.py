"""The socket of the link: one thread receives, any thread sends."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any, Callable, List, Optional

from ._encode import COPIED_BYTES, Encoder
from ._wire import MAX_FRAMES, PREFIX, check_prefix, parse_body, receive_exactly, to_message

# A send buffer of 208 KiB, the default of Linux, needs five wake-ups for 1 MiB.
_SEND_BUFFER = 1_048_576
_RECEIVE_BUFFER = 65_536
# Frames of more characters than this leave at once, so that several of them do not exceed the limit of a message.
_LARGE_TEXT = 65_536
# The most buffers that one system call takes.
_MAX_BUFFERS = 512


class Outbox:
    """Collects frames of one thread and sends them in few messages."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._frames: List[str] = []
        self._characters = 0
        self.encoder: Encoder = connection.encoder()

    def add(self, frame: str) -> None:
        """Adds a frame, whose values were encoded with ``self.encoder``."""
        self._frames.append(frame)
        self._characters += len(frame)
        attachments = self.encoder.attachments
        if (
            len(self._frames) >= MAX_FRAMES
            or self._characters > _LARGE_TEXT
            or (attachments and sum(map(len, attachments)) > COPIED_BYTES)
        ):
            self.flush()

    @property
    def is_empty(self) -> bool:
        return not self._frames

    def flush(self) -> None:
        """Sends what was collected."""
        frames = self._frames
        if frames:
            self._frames = []
            self._characters = 0
            encoder, self.encoder = self.encoder, self._connection.encoder()
            self._connection.send(frames, encoder.attachments)


class Connection:
    """
    One end of the socket pair. ``receive`` is called on the receiving thread with the frames and attachments of each
    message; ``ended`` when the host has closed its end.
    """

    def __init__(self, fd: int, handle_id: Callable[[Any], Optional[int]]) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(True)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        except OSError:
            pass
        self._lock = threading.Lock()
        self._handle_id = handle_id
        if hasattr(os, "register_at_fork"):
            # A process that user code forks must not hold the link open.
            os.register_at_fork(after_in_child=self._forked)

    def encoder(self) -> Encoder:
        """A new encoder for the values of one message."""
        return Encoder(self._handle_id)

    def send(self, frames: List[str], attachments: List[Any]) -> None:
        """Sends one message; blocks while the host does not read."""
        parts = to_message(frames, attachments)
        with self._lock:
            if len(parts) == 1:
                self._socket.sendall(parts[0])
            else:
                self._send_parts([memoryview(part).cast("B") for part in parts if len(part) > 0])

    def send_frame(self, frame: str) -> None:
        """Sends one frame without attachments."""
        self.send([frame], [])

    def _send_parts(self, parts: List[memoryview]) -> None:
        if not hasattr(self._socket, "sendmsg"):
            self._socket.sendall(b"".join(parts))
            return
        start = 0
        while start < len(parts):
            sent = self._socket.sendmsg(parts[start : start + _MAX_BUFFERS])
            while start < len(parts) and sent >= len(parts[start]):
                sent -= len(parts[start])
                start += 1
            if sent:
                parts[start] = parts[start][sent:]

    def receive(self, deliver: Callable[[List[Any], List[memoryview]], None]) -> None:
        """Receives until the host closes its end. @throws BadMessage"""
        read = self._socket.recv_into
        buffer = bytearray(_RECEIVE_BUFFER)
        whole = memoryview(buffer)
        start = end = 0
        while True:
            if end - start >= 8:
                header_bytes, attachment_bytes = PREFIX.unpack_from(buffer, start)
                check_prefix(header_bytes, attachment_bytes)
                size = header_bytes + attachment_bytes
                have = min(end - start - 8, size)
                if have == size or size > _RECEIVE_BUFFER - 8:
                    # Attachments are read into memory of their own: arrays over it live on, and can be written.
                    body = memoryview(bytearray(size))
                    body[:have] = whole[start + 8 : start + 8 + have]
                    start += 8 + have
                    if not receive_exactly(read, body[have:]):
                        return
                    deliver(*parse_body(body, header_bytes))
                    continue
            if start > 0:
                rest = bytes(whole[start:end])
                whole[: len(rest)] = rest
                start, end = 0, len(rest)
            count = read(whole[end:])
            if count == 0:
                return
            end += count

    def close(self) -> None:
        """Closes this end."""
        self._socket.close()

    def _forked(self) -> None:
        try:
            os.close(self._socket.detach())
        except OSError:
            pass
