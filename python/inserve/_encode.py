"""
Values as JSON text with marks.

A value that JSON cannot express is ``null`` in its place, or a stand-in, and is listed beside the value as
``[path, kind, data]``. Marks of inner values come before those of the containers around them. ``src/isolation/child/
python/values/`` is the same codec in TypeScript; ``test/fixtures/python/vectors.json`` is read by the tests of both.
"""

from __future__ import annotations

import dataclasses
import json
from array import array
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, Callable, List, Optional, Sequence, Tuple

from ._errors import BatchError, to_envelope
from ._tensor import Refused, Tensor, memory_of, without_int64

# Lists of at least this many numbers travel as memory.
BULK_ITEMS = 16
# Strings of at least this many characters travel as memory.
BULK_CHARACTERS = 1_024
# Memory up to this size is copied into its message; larger memory is sent at once.
COPIED_BYTES = 16_384
# A value whose text or memory takes more than this does not fit a message, which holds other frames as well.
MAX_VALUE_BYTES = 255 * 1024 * 1024
MAX_DEPTH = 500
SAFE = 2**53

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"

_dumps = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode
_dumps_ascii = json.JSONEncoder(
    ensure_ascii=True, check_circular=False, allow_nan=False, separators=(",", ":")
).encode


class NotSerializable(TypeError):
    """A value cannot cross; the message names its path."""


def dumps(value: Any) -> str:
    """JSON text of plain data. Lone surrogates, which UTF-8 cannot express, are escaped."""
    text = _dumps(value)
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _dumps_ascii(value)
    return text


def is_plain(value: Any, depth: int = 8) -> bool:
    """Whether a value is JSON as it is, with nothing that should travel as memory."""
    kind = type(value)
    if kind is str:
        return len(value) < BULK_CHARACTERS
    if kind is int:
        return -SAFE <= value <= SAFE
    if kind is float:
        return value - value == 0.0
    if value is None or kind is bool:
        return True
    if depth == 0:
        return False
    if kind is dict:
        depth -= 1
        for key, item in value.items():
            if type(key) is not str or not is_plain(item, depth):
                return False
        return True
    if kind is list or kind is tuple:
        if len(value) >= BULK_ITEMS and type(value[0]) in (int, float):
            return False
        depth -= 1
        for item in value:
            if not is_plain(item, depth):
                return False
        return True
    return False


class Encoder:
    """Encodes the values of one message. ``attachments`` are the memory of all of them."""

    def __init__(self, handle_id: Optional[Callable[[Any], Optional[int]]] = None) -> None:
        self.attachments: List[Any] = []
        self._marks: list = []
        self._handle_id = handle_id

    def encode(self, value: Any) -> Tuple[str, str]:
        """
        The JSON text of a value and of its marks; the latter is empty without marks.

        :raises NotSerializable: naming the path
        """
        if is_plain(value):
            return _of_sendable_size(dumps(value), ()), ""
        self._marks = []
        count = len(self.attachments)
        path: List[Any] = []
        try:
            plain = self._walk(value, path)
            text = _of_sendable_size(dumps(plain), self.attachments[count:])
            return text, dumps(self._marks) if self._marks else ""
        except Refused as refusal:
            del self.attachments[count:]
            raise NotSerializable(f"{_spell(path)} cannot cross from Python: {refusal}") from None
        except RecursionError:
            del self.attachments[count:]
            raise NotSerializable(f" cannot cross from Python: {_TOO_DEEP}") from None
        except BaseException:
            del self.attachments[count:]
            raise

    def _mark(self, path: List[Any], kind: str, data: Any = None) -> None:
        self._marks.append([list(path), kind] if data is None else [list(path), kind, data])

    def _attach(self, data: Any) -> int:
        self.attachments.append(data)
        return len(self.attachments) - 1

    def _walk(self, value: Any, path: List[Any]) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return self._string(value, path)
        if kind is int:
            if -SAFE <= value <= SAFE:
                return value
            self._mark(path, "g", _digits(value))
            return None
        if kind is float:
            return self._float(value, path)
        if len(path) > MAX_DEPTH:
            path.clear()
            raise Refused(_TOO_DEEP)
        # The loops are here and not in methods, so that a level takes one frame of Python's stack.
        if kind is dict:
            members = {}
            for key, item in value.items():
                if type(key) is not str:
                    key = _key(key)
                path.append(key)
                members[key] = self._walk(item, path)
                path.pop()
            return members
        if kind is list or kind is tuple:
            bulk = _bulk(value)
            if bulk is not None:
                return self._numbers(bulk, path)
            items = []
            for index, item in enumerate(value):
                path.append(index)
                items.append(self._walk(item, path))
                path.pop()
            return items
        return self._other(value, path)

    def _string(self, value: str, path: List[Any]) -> Any:
        if len(value) < BULK_CHARACTERS:
            return value
        try:
            data = value.encode("utf-8")
        except UnicodeEncodeError:
            return value
        self._mark(path, "s", self._attach(data))
        return None

    def _float(self, value: float, path: List[Any]) -> Any:
        if value - value == 0.0:
            return value
        self._mark(path, "n", "NaN" if value != value else "Infinity" if value > 0 else "-Infinity")
        return None

    def _numbers(self, bulk: Tuple[str, array], path: List[Any]) -> None:
        kind, data = bulk
        index = self._attach(memoryview(data).cast("B"))
        self._mark(path, kind, index if kind == "f" else [index, data.typecode])

    def _other(self, value: Any, path: List[Any]) -> Any:
        if isinstance(value, (bytes, bytearray)):
            self._mark(path, "b", self._attach(bytes(value) if type(value) is bytearray else value))
            return None
        memory = memory_of(value)
        if memory is not None:
            return self._tensor(value, memory, path)
        if isinstance(value, Enum):
            return self._walk(value.value, path)
        if isinstance(value, str):
            return self._string(str.__str__(value), path)
        if isinstance(value, bool):
            return bool(value)
        if isinstance(value, int):
            return self._walk(int(value), path)
        if isinstance(value, float):
            return self._float(float(value), path)
        if isinstance(value, dict):
            return self._walk(dict(value), path)
        if isinstance(value, (list, tuple)):
            return self._walk(list(value), path)
        if isinstance(value, (set, frozenset)):
            items = self._list_items(value, path)
            self._mark(path, "e")
            return items
        if isinstance(value, datetime):
            self._mark(path, "d", _milliseconds(value))
            return None
        if isinstance(value, date):
            moment = datetime(value.year, value.month, value.day, tzinfo=timezone.utc)
            self._mark(path, "d", _milliseconds(moment))
            return None
        if isinstance(value, BaseException):
            return self._exception(value, path)
        handle = None if self._handle_id is None else self._handle_id(value)
        if handle is not None:
            self._mark(path, "h", handle)
            return None
        return self._object(value, path)

    def _list_items(self, value: Any, path: List[Any]) -> list:
        result = []
        for index, item in enumerate(value):
            path.append(index)
            result.append(self._walk(item, path))
            path.pop()
        return result

    def _tensor(self, value: Any, memory: Tuple[str, tuple, memoryview], path: List[Any]) -> None:
        dtype, shape, view = memory
        if dtype in ("int64", "uint64") and type(value) is not Tensor:
            dtype, view = without_int64(dtype, view)
        # Small memory is copied, because user code may change it before the message is sent.
        data = bytes(view) if view.nbytes <= COPIED_BYTES else view
        self._mark(path, "t", [dtype, list(shape), self._attach(data)])

    def _exception(self, value: BaseException, path: List[Any]) -> dict:
        error = value.error if isinstance(value, BatchError) else value
        stand_in = to_envelope(error, _checked)
        result = self._walk(stand_in, path)
        self._mark(path, "x")
        return result

    def _object(self, value: Any, path: List[Any]) -> Any:
        module = (type(value).__module__ or "").partition(".")[0]
        if module in ("numpy", "torch", "tensorflow", "jax", "jaxlib") and hasattr(value, "item"):
            # A scalar of a framework.
            return self._walk(value.item(), path)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            members = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return self._walk(members, path)
        dump = getattr(value, "model_dump", None)
        if callable(dump):
            return self._walk(dump(), path)
        to_mark = getattr(value, "__inserve__", None)
        if callable(to_mark):
            kind, stand_in = to_mark()
            result = self._walk(stand_in, path)
            self._mark(path, kind)
            return result
        if isinstance(value, Decimal):
            raise Refused("it is a Decimal: convert it with float() or str()")
        raise Refused(f"it is an object of class {type(value).__qualname__}")


def _of_sendable_size(text: str, attachments: Sequence[Any]) -> str:
    """:raises NotSerializable: for a value that no message can hold"""
    size = len(text) + sum(data.nbytes if type(data) is memoryview else len(data) for data in attachments)
    # A character takes up to four bytes.
    if len(text) * 4 > MAX_VALUE_BYTES:
        size += len(text.encode("utf-8")) - len(text)
    if size > MAX_VALUE_BYTES:
        raise NotSerializable(
            f" cannot cross from Python: it takes {size} bytes, and a message holds at most {MAX_VALUE_BYTES}"
        )
    return text


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:
        raise Refused("it is an integer of more digits than Python turns into text") from None


def _checked(value: Any) -> Any:
    """A member of an exception, if it can cross."""
    Encoder().encode(value)
    return value


def _key(key: Any) -> str:
    """The text that ``json.dumps`` makes of a key that is no string."""
    if isinstance(key, Enum):
        return _key(key.value)
    if isinstance(key, str):
        return str.__str__(key)
    if key is True:
        return "true"
    if key is False:
        return "false"
    if key is None:
        return "null"
    if isinstance(key, (int, float)):
        return str(key)
    if hasattr(key, "item") and (type(key).__module__ or "").startswith("numpy"):
        return _key(key.item())
    raise Refused(f"a key of a dict is {type(key).__qualname__}, and JavaScript has strings only")


def _bulk(value: Any) -> Optional[Tuple[str, array]]:
    """A list of numbers as memory: all floats, or all integers that JavaScript holds exactly."""
    if len(value) < BULK_ITEMS or type(value[0]) not in (float, int):
        return None
    kinds = set(map(type, value))
    if kinds == {float}:
        return "f", array("d", value)
    if kinds != {int}:
        return None
    low, high = min(value), max(value)
    if low >= -(2**31) and high < 2**31:
        return "i", array("i", value)
    return ("i", array("q", value)) if low >= -SAFE and high <= SAFE else None


def _milliseconds(moment: datetime) -> float:
    """
    Milliseconds since 1970, calculated with integers: floats would lose one in 2500. A datetime without a zone is local
    time, as in Python.
    """
    try:
        since = (moment.astimezone(timezone.utc) if moment.tzinfo is None else moment) - EPOCH
    except (ValueError, OverflowError, OSError) as error:
        raise Refused(f"it is a datetime that has no time in UTC: {error}") from None
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return microseconds // 1000 if microseconds % 1000 == 0 else microseconds / 1000


def _spell(path: List[Any]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


def encode_error(encoder: Encoder, error: BaseException) -> Any:
    """The envelope of an exception as JSON text and marks."""

    def take(value: Any) -> Any:
        Encoder().encode(value)
        return value

    try:
        return encoder.encode(to_envelope(error, take))
    except NotSerializable as refusal:
        name = type(error).__name__
        return encoder.encode({"name": name, "message": f"the message of the {name}{refusal}", "stack": "", "data": {}})
