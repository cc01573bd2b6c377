"""What the tests share: the package on ``sys.path``, and tagged values of the shared vectors."""

from __future__ import annotations

import json
import os
import sys
from array import array
from datetime import datetime, timezone
from typing import Any, List, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "python"))

from inserve._tensor import _CODES, Tensor  # noqa: E402
from inserve._wire import Splitter  # noqa: E402


def vectors() -> List[dict]:
    """The vectors that the tests in TypeScript read as well."""
    path = os.path.join(ROOT, "test", "fixtures", "python", "vectors.json")
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def from_tagged(tagged: Any) -> Any:
    """A tagged value as the value that user code in Python has; see ``tagged.ts`` beside the vectors."""
    if isinstance(tagged, list):
        return [from_tagged(item) for item in tagged]
    if not isinstance(tagged, dict):
        return tagged
    tag, data = next(iter(tagged.items()), ("", None))
    if tag == "$bytes":
        return bytes.fromhex(data)
    if tag == "$number":
        return float(data)
    if tag == "$bigint":
        return int(data)
    if tag == "$date":
        return datetime.fromtimestamp(data / 1000, timezone.utc)
    if tag == "$set":
        return set(from_tagged(data))
    if tag == "$map":
        return {key: from_tagged(item) for key, item in data}
    if tag == "$repeat":
        item, count = data
        return item * count if isinstance(item, str) else [item] * count
    if tag == "$tensor":
        items = bytes(data["items"]) if data["dtype"] == "bool" else array(_CODES[data["dtype"]], data["items"])
        return Tensor(bytes(memoryview(items).cast("B")), data["shape"], data["dtype"])
    return {key: from_tagged(item) for key, item in tagged.items()}


def plain(value: Any) -> Any:
    """A value in a form that ``==`` compares: arrays as lists, NaN and −0 as text."""
    if isinstance(value, float) and (value != value or str(value) == "-0.0"):
        return str(value)
    if isinstance(value, (memoryview, Tensor)):
        return ["array", plain(value.tolist())]
    if type(value).__module__ == "numpy":
        return ["array", plain(value.tolist())]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def messages_in(data: bytes) -> List[Tuple[list, list]]:
    """The messages of a stream of bytes."""
    received: List[Tuple[list, list]] = []
    Splitter(lambda frames, attachments: received.append((frames, attachments))).push(data)
    return received
