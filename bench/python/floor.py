"""A bare asyncio echo over file descriptor 3 with the codec of the runner: what calls of Python cannot be faster than."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python"))

from inserve._decode import Decoder  # noqa: E402
from inserve._encode import Encoder  # noqa: E402
from inserve._wire import PREFIX, RESULT, parse_body, to_message  # noqa: E402

WITH_TASKS = sys.argv[1] == "tasks"


BUFFER_BYTES = 65_536
# As in the runner: a send buffer of 208 KiB needs five wake-ups for 1 MiB.
SEND_BYTES = 1_048_576


class Receiver(asyncio.BufferedProtocol):
    """Receives messages, each into memory of its own if it is large, as the runner does."""

    def __init__(self) -> None:
        self.small = bytearray(BUFFER_BYTES)
        self.start = self.end = 0
        # A message that is larger than the buffer, and how much of it is there.
        self.large: "bytearray | None" = None
        self.fill = self.header_bytes = 0

    def get_buffer(self, sizehint: int) -> memoryview:
        if self.large is not None:
            return memoryview(self.large)[self.fill :]
        return memoryview(self.small)[self.end :]

    def buffer_updated(self, count: int) -> None:
        if self.large is not None:
            self.fill += count
            if self.fill == len(self.large):
                body, self.large = memoryview(self.large), None
                self.received(*parse_body(body, self.header_bytes))
            return
        self.end += count
        self.cut()

    def cut(self) -> None:
        while self.end - self.start >= 8:
            header_bytes, attachment_bytes = PREFIX.unpack_from(self.small, self.start)
            size = header_bytes + attachment_bytes
            have = min(self.end - self.start - 8, size)
            if have < size and size <= BUFFER_BYTES - 8:
                break
            body = bytearray(size)
            body[:have] = memoryview(self.small)[self.start + 8 : self.start + 8 + have]
            self.start += 8 + have
            if have < size:
                self.large, self.fill, self.header_bytes = body, have, header_bytes
            else:
                self.received(*parse_body(memoryview(body), header_bytes))
        rest = bytes(memoryview(self.small)[self.start : self.end])
        self.small[: len(rest)] = rest
        self.start, self.end = 0, len(rest)

    def received(self, frames: list, attachments: list) -> None:
        raise NotImplementedError


async def main() -> None:
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    class Echo(Receiver):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def connection_lost(self, error: object) -> None:
            ended.set_result(None)

        def received(self, frames: list, attachments: list) -> None:
            decoder = Decoder(attachments)
            calls = [(frame[1], decoder.decode(frame[3], frame[4])[0][0]) for frame in frames]
            if WITH_TASKS:
                for call in calls:
                    loop.create_task(self.later(call))
            else:
                self.answer(calls)

        async def later(self, call: tuple) -> None:
            self.answer([call])

        def answer(self, calls: list) -> None:
            encoder = Encoder()
            texts = []
            for number, value in calls:
                text, marks = encoder.encode(value)
                texts.append(f"[{RESULT},{number},{text},{marks or 0}]")
            self.transport.writelines(to_message(texts, encoder.attachments))

    link = socket.socket(fileno=3)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
    await loop.connect_accepted_socket(Echo, link)
    await ended


asyncio.run(main())
