"""Decodes each message from standard input, encodes its values again, and writes them to standard output."""

from __future__ import annotations

import sys

import support  # noqa: F401
from inserve._decode import Decoder
from inserve._encode import Encoder
from inserve._wire import RESULT, Splitter, to_message


def echo(frames: list, attachments: list) -> None:
    decoder = Decoder(attachments)
    encoder = Encoder()
    texts = []
    for _, number, value, *marks in frames:
        text, own_marks = encoder.encode(decoder.decode(value, marks[0] if marks else 0))
        texts.append(f"[{RESULT},{number},{text},{own_marks or 0}]")
    for part in to_message(texts, encoder.attachments):
        sys.stdout.buffer.write(part)


splitter = Splitter(echo)
while True:
    data = sys.stdin.buffer.read1(65536)
    if not data:
        break
    splitter.push(data)
