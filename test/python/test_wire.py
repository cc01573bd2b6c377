"""The codec: the shared vectors, refused values, and damaged messages."""

from __future__ import annotations

import random
import unittest
from collections import namedtuple
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any

from support import from_tagged, messages_in, plain, vectors

from inserve import ServeError, Tensor
from inserve._errors import RemoteError, from_envelope, to_envelope
from inserve._decode import BadMessage, Decoder
from inserve._encode import Encoder, NotSerializable
from inserve._wire import RESULT, Splitter, parse_body, to_message


def encode(value: Any) -> bytes:
    encoder = Encoder()
    text, marks = encoder.encode(value)
    frame = f"[{RESULT},1,{text},{marks}]" if marks else f"[{RESULT},1,{text}]"
    return b"".join(bytes(part) for part in to_message([frame], encoder.attachments))


def decode(message: bytes) -> Any:
    [(frames, attachments)] = messages_in(message)
    [frame] = frames
    return Decoder(attachments).decode(frame[2], frame[3] if len(frame) > 3 else 0)


class Vectors(unittest.TestCase):
    def test_every_message_gives_its_value(self) -> None:
        for vector in vectors():
            with self.subTest(vector["name"]):
                value = decode(bytes.fromhex(vector["message"]))
                self.assertEqual(plain(value), plain(from_tagged(vector["value"])))

    def test_every_value_gives_its_message(self) -> None:
        for vector in vectors():
            if "python" not in vector["encodedBy"]:
                continue
            with self.subTest(vector["name"]):
                self.assertEqual(encode(from_tagged(vector["value"])).hex(), vector["message"])


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    LARGE = 3


Point = namedtuple("Point", "x y")


@dataclass
class Verdict:
    label: str
    score: float


class Model:
    def model_dump(self) -> dict:
        return {"name": "pydantic"}


class Values(unittest.TestCase):
    def test_classes_of_python_become_plain_values(self) -> None:
        cases = [
            (Colour.RED, "red"),
            ([Size.LARGE], [3]),
            ((1, 2), [1, 2]),
            (Point(1, 2), [1, 2]),
            (Verdict("a", 0.5), {"label": "a", "score": 0.5}),
            (Model(), {"name": "pydantic"}),
            ({2: "two", None: "none", True: "yes"}, {"2": "two", "null": "none", "true": "yes"}),
            (date(2024, 1, 2).isoformat(), "2024-01-02"),
            (bytearray(b"ab"), b"ab"),
            (frozenset([1]), {1}),
            (-0.0, -0.0),
            ("\ud800", "\ud800"),
            ("\ud800" * 2000, "\ud800" * 2000),
            ([True] * 20, [True] * 20),
            ([1] * 20 + [True], [1] * 20 + [True]),
            ([2**60] * 20, [2**60] * 20),
        ]
        for value, expected in cases:
            with self.subTest(repr(value)[:40]):
                self.assertEqual(plain(decode(encode(value))), plain(expected))

    def test_bool_does_not_pass_for_an_integer(self) -> None:
        self.assertIs(decode(encode([True] * 16))[0], True)

    def test_what_cannot_cross_is_refused_with_its_path(self) -> None:
        deep: Any = 1
        for _ in range(600):
            deep = [deep]
        cases = [
            ({"a": [1, Decimal("1.5")]}, r"^\.a\[1\] cannot cross from Python: it is a Decimal"),
            ([object()], r"^\[0\] cannot cross from Python: it is an object of class object"),
            (lambda: 1, r"^ cannot cross from Python: it is an object of class function"),
            ({(1, 2): 3}, r"a key of a dict is tuple"),
            (1j, r"an object of class complex"),
            (deep, r"more than 500 levels"),
        ]
        for value, pattern in cases:
            with self.subTest(pattern):
                self.assertRaisesRegex(NotSerializable, pattern, encode, value)

    def test_a_refused_value_leaves_no_attachment(self) -> None:
        encoder = Encoder()
        self.assertRaises(NotSerializable, encoder.encode, [b"x", object()])
        self.assertEqual(encoder.attachments, [])

    def test_a_tensor_must_fit_its_memory(self) -> None:
        self.assertRaises(ValueError, Tensor, b"123", (1,), "float32")
        self.assertRaises(TypeError, Tensor, b"123", (3,), "complex64")
        self.assertEqual(Tensor(b"\1\2\3\4", (2, 2), "uint8").tolist(), [[1, 2], [3, 4]])

    def test_an_exception_crosses_with_its_cause_and_data(self) -> None:
        class PaymentError(Exception):
            def __init__(self) -> None:
                super().__init__("no money")
                self.status_code = 402
                self.expose = True
                self.socket = object()

        try:
            try:
                raise ValueError("inner")
            except ValueError as inner:
                raise PaymentError() from inner
        except PaymentError as error:
            envelope = to_envelope(error, lambda value: Encoder().encode(value) and value)
        self.assertEqual(envelope["data"], {"statusCode": 402, "expose": True})
        self.assertEqual(envelope["cause"]["name"], "ValueError")
        self.assertIn("test_wire.py", envelope["stack"])
        restored = from_envelope(envelope)
        self.assertIsInstance(restored, RemoteError)
        self.assertEqual(restored.status_code, 402)  # type: ignore[attr-defined]
        coded = from_envelope({"name": "ServeError", "message": "m", "data": {"code": "SERVE_TIMEOUT"}})
        self.assertIsInstance(coded, ServeError)


class Damage(unittest.TestCase):
    def test_a_message_may_come_in_any_pieces(self) -> None:
        for vector in vectors():
            message = bytes.fromhex(vector["message"])
            if len(message) > 300:
                continue
            for cut in range(len(message) + 1):
                received: list = []
                splitter = Splitter(lambda frames, _: received.append(frames))
                splitter.push(message[:cut])
                splitter.push(message[cut:])
                self.assertEqual(len(received), 1)

    def test_damaged_messages_are_refused(self) -> None:
        chance = random.Random(16)
        originals = [bytes.fromhex(vector["message"]) for vector in vectors()]
        for _ in range(5_000):
            message = bytearray(chance.choice(originals))
            for _ in range(chance.randint(1, 4)):
                message[chance.randrange(len(message))] = chance.randrange(256)
            header_bytes = int.from_bytes(message[:4], "little")
            try:
                frames, attachments = parse_body(memoryview(bytearray(message[8:])), header_bytes)
                for frame in frames:
                    if len(frame) > 3:
                        Decoder(attachments).decode(frame[2], frame[3])
            except BadMessage:
                continue

    def test_deep_nesting_is_refused(self) -> None:
        text = "[" * 100_000
        body = ("[[" + text).encode()
        body += b" " * (-len(body) % 8)
        self.assertRaises(BadMessage, parse_body, memoryview(bytearray(body)), len(body))


if __name__ == "__main__":
    unittest.main()
