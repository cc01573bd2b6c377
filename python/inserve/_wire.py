"""
Messages of the link: ``u32 headerBytes | u32 attachmentBytes | header | attachments``, little endian. The header is
``[[frame, …], [length, …]?]`` as JSON, padded with spaces to a multiple of 8; each attachment is padded to 8 as well, so
that arrays can be read in place.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Callable, List, Optional, Sequence, Tuple

from ._decode import BadMessage

PROTOCOL = 1
MAX_MESSAGE = 256 * 1024 * 1024
MAX_FRAMES = 16
PREFIX = struct.Struct("<II")
_ZEROS = b"\0" * 8

# Kinds of frames. `src/isolation/child/python/frames.ts` has the same numbers.
CALL = 0
CANCEL = 1
CREDIT = 2
RESULT = 3
ERROR = 4
CHUNK = 5
END = 6
OPEN = 7
ASK = 8
ANSWER = 9
REFUSAL = 10
CHILD = 11
LOG = 12
TICK = 13
METRIC = 14
MODELS = 15
HELLO = 16
# A child call's outcome and the control of its stream.
CHILD_RESULT = 17
CHILD_ERROR = 18
CHILD_CHUNK = 19
CHILD_END = 20
CHILD_CANCEL = 21
CHILD_CREDIT = 22
BATCH = 23


def to_message(frames: Sequence[str], attachments: Sequence[Any]) -> List[Any]:
    """The buffers of one message, to be sent one after the other."""
    text = "[[" + ",".join(frames) + "]"
    if attachments:
        text += ",[" + ",".join([str(_size(data)) for data in attachments]) + "]"
    header = (text + "]").encode("utf-8")
    header += b" " * (-len(header) % 8)
    if not attachments:
        return [PREFIX.pack(len(header), 0) + header]
    parts: List[Any] = [b""]
    total = 0
    for data in attachments:
        size = _size(data)
        parts.append(data)
        padding = -size % 8
        if padding:
            parts.append(_ZEROS[:padding])
        total += size + padding
    if 8 + len(header) + total > MAX_MESSAGE:
        raise BadMessage(f"a message of {8 + len(header) + total} bytes exceeds {MAX_MESSAGE}")
    parts[0] = PREFIX.pack(len(header), total) + header
    return parts


def _size(data: Any) -> int:
    return data.nbytes if type(data) is memoryview else len(data)


def parse_body(
    body: memoryview, header_bytes: int
) -> Tuple[List[Any], List[memoryview]]:
    """
    The frames and attachments of a message, given everything behind its prefix.

    :raises BadMessage: for a message that does not follow the protocol
    """
    try:
        header = json.loads(str(body[:header_bytes], "utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"the header is no JSON: {error}") from error
    if type(header) is not list or not 1 <= len(header) <= 2 or type(header[0]) is not list:
        raise BadMessage("the header is no list of frames")
    frames = header[0]
    for frame in frames:
        if type(frame) is not list or len(frame) == 0 or type(frame[0]) is not int:
            raise BadMessage("a frame is no list that begins with its kind")
    attachments: List[memoryview] = []
    offset = header_bytes
    for length in header[1] if len(header) == 2 else ():
        if type(length) is not int or length < 0 or offset + length > len(body):
            raise BadMessage(f"an attachment of {length!r} bytes does not fit its message")
        attachments.append(body[offset : offset + length])
        offset += length + -length % 8
    if offset != len(body):
        raise BadMessage(f"the attachments end at {offset}, the message at {len(body)}")
    return frames, attachments


def check_prefix(header_bytes: int, attachment_bytes: int) -> None:
    """:raises BadMessage: for lengths that no message has"""
    if header_bytes % 8 or attachment_bytes % 8 or header_bytes == 0:
        raise BadMessage("the lengths of a message are no multiples of 8")
    if header_bytes + attachment_bytes > MAX_MESSAGE:
        raise BadMessage(f"a message of {header_bytes + attachment_bytes} bytes exceeds {MAX_MESSAGE}")


class Splitter:
    """Splits a stream of bytes into messages. Used by tests; the link receives into memory of the right size."""

    def __init__(self, receive: Callable[[List[Any], List[memoryview]], None]) -> None:
        self._receive = receive
        self._rest = bytearray()

    def push(self, data: bytes) -> None:
        """:raises BadMessage: for bytes that do not follow the protocol"""
        self._rest += data
        while len(self._rest) >= 8:
            header_bytes, attachment_bytes = PREFIX.unpack_from(self._rest)
            check_prefix(header_bytes, attachment_bytes)
            end = 8 + header_bytes + attachment_bytes
            if len(self._rest) < end:
                return
            body = memoryview(bytearray(self._rest[8:end]))
            self._rest = self._rest[end:]
            self._receive(*parse_body(body, header_bytes))


def receive_exactly(read_into: Callable[[memoryview], int], view: memoryview) -> bool:
    """Fills memory. @returns false at the end of the stream"""
    offset = 0
    while offset < len(view):
        count = read_into(view[offset:])
        if count == 0:
            return False
        offset += count
    return True


Received = Optional[Tuple[List[Any], List[memoryview]]]
