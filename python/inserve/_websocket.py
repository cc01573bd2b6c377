"""The WebSocket of a client, as user code in Python sees it."""

from __future__ import annotations

from typing import Optional, Union

from ._handles import DeploymentHandle

Message = Union[str, bytes]


class WebSocket:
    """
    The connection that ``async def websocket(self, socket, request)`` gets. It is open, and is closed when the method returns.

    ``async for message in socket`` reads its messages: ``str`` for text, ``bytes`` for binary ones. The loop ends when the
    connection does.
    """

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle = handle
        #: Code of the close frame once the connection has ended: 1005 if there was none in it, 1006 if the connection was lost.
        self.close_code: Optional[int] = None
        #: Reason of the close frame.
        self.close_reason = ""

    async def receive(self) -> Optional[Message]:
        """The next message; ``None`` once the connection has ended."""
        if self.close_code is not None:
            return None
        message, *end = await self._handle.receive.remote()
        if end:
            self.close_code, self.close_reason = end
        return message

    async def send(self, message: Union[str, bytes, bytearray, memoryview]) -> None:
        """
        Sends text or bytes, and waits until there is room for more.

        :raises ServeError: ``SERVE_CANCELLED`` once the connection is closed
        :raises TypeError: for anything else
        """
        if not isinstance(message, (str, bytes, bytearray, memoryview)):
            raise TypeError(f"WebSocket.send(): got {type(message).__name__}; allowed: str, bytes, bytearray, memoryview")
        await self._handle.send.remote(message if isinstance(message, str) else bytes(message))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """
        Closes the connection after everything that was sent; does nothing once it is closed.

        :param code: 1000 to 1003, 1007 to 1014, or 3000 to 4999
        :param reason: at most 123 bytes
        """
        await self._handle.close.remote(code, reason)

    def __aiter__(self) -> "WebSocket":
        return self

    async def __anext__(self) -> Message:
        message = await self.receive()
        if message is None:
            raise StopAsyncIteration
        return message
