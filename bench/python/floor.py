"""A bare asyncio echo over file descriptor 3 with the codec of the runner: what calls of Python cannot be faster than."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python"))

from inserve._values import Decoder, Encoder  # noqa: E402
from inserve._wire import RESULT, Splitter, to_message  # noqa: E402

WITH_TASKS = sys.argv[1] == "tasks"


async def main() -> None:
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport
            self.splitter = Splitter(self.received)

        def data_received(self, data: bytes) -> None:
            self.splitter.push(data)

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

    await loop.connect_accepted_socket(Echo, socket.socket(fileno=3))
    await ended


asyncio.run(main())
