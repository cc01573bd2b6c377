"""Values from JSON text with marks, as ``_encode.py`` writes them."""

from __future__ import annotations

import struct
from datetime import timedelta
from typing import Any, Callable, List, Optional

from ._encode import EPOCH
from ._errors import from_envelope
from ._tensor import count_of, is_known_dtype, item_size, to_array


class BadMessage(ValueError):
    """A message that does not follow the protocol."""


class Decoder:
    """Restores the values of one message from its attachments."""

    def __init__(self, attachments: List[memoryview], handle: Optional[Callable[[Any], Any]] = None) -> None:
        self._attachments = attachments
        self._handle = handle

    def decode(self, value: Any, marks: Any) -> Any:
        """
        The value with everything in place that its marks list.

        :raises BadMessage: for marks that do not fit
        """
        if not marks:
            return value
        holder = [value]
        try:
            for path, kind, *data in marks:
                container: Any = holder
                key: Any = 0
                for step in path:
                    container = container[key]
                    key = step
                container[key] = self._restore(kind, data[0] if data else None, container[key])
        except BadMessage:
            raise
        except (LookupError, TypeError, ValueError, OverflowError, struct.error, AttributeError) as error:
            raise BadMessage(f"a mark does not fit its value: {error}") from error
        return holder[0]

    def _memory(self, index: Any) -> memoryview:
        if type(index) is not int or not 0 <= index < len(self._attachments):
            raise BadMessage(f"there is no attachment {index!r}")
        return self._attachments[index]

    def _restore(self, kind: str, data: Any, place: Any) -> Any:
        if kind == "t":
            return self._tensor(*data)
        if kind == "f":
            return self._memory(data).cast("d").tolist()
        if kind == "i":
            index, code = data
            if code not in ("i", "q"):
                raise BadMessage(f"integers of an unknown type {code!r}")
            return self._memory(index).cast(code).tolist()
        if kind == "s":
            return str(self._memory(data), "utf-8")
        if kind == "b":
            return bytes(self._memory(data))
        if kind == "n":
            return float(data)
        if kind == "d":
            return EPOCH + timedelta(milliseconds=data)
        if kind == "g":
            return int(data)
        if kind == "u":
            return None
        if kind == "m":
            return dict(place)
        if kind == "e":
            return set(place)
        if kind == "x":
            return from_envelope(place)
        if kind == "h" and self._handle is not None:
            return self._handle(data)
        if kind == "q":
            from ._request import Request

            return Request._received(place)
        raise BadMessage(f"an unknown mark {kind!r}")

    def _tensor(self, dtype: Any, shape: Any, index: Any) -> Any:
        view = self._memory(index)
        if not is_known_dtype(dtype) or not all(type(length) is int and length >= 0 for length in shape):
            raise BadMessage(f"a tensor of {dtype!r} and shape {shape!r}")
        if count_of(shape) * item_size(dtype) != view.nbytes:
            raise BadMessage(f"a tensor of {dtype} and shape {shape} with {view.nbytes} bytes")
        return to_array(dtype, shape, view)
