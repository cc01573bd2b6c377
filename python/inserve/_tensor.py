"""Arrays that cross the link as memory: ``Tensor``, and the arrays of numpy, torch, TensorFlow and JAX."""

from __future__ import annotations

import sys
from array import array
from typing import Any, Optional, Sequence, Tuple

# Element types by their names in numpy, with the type codes of the `array` and `memoryview` modules.
_CODES = {
    "float32": "f",
    "float64": "d",
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "bool": "?",
    "float16": "e",
}
_ITEM_SIZES = {
    "float64": 8, "int64": 8, "uint64": 8, "float32": 4, "int32": 4, "uint32": 4,
    "float16": 2, "int16": 2, "uint16": 2, "int8": 1, "uint8": 1, "bool": 1,
}
_DTYPE_OF_CODE = {code: dtype for dtype, code in _CODES.items()}
_DTYPE_OF_CODE["l"] = "int64" if array("l").itemsize == 8 else "int32"
_DTYPE_OF_CODE["L"] = "uint64" if array("L").itemsize == 8 else "uint32"
_SAFE = 2**53


class Refused(TypeError):
    """A value cannot cross the link."""


def count_of(shape: Sequence[int]) -> int:
    """The number of elements of a shape."""
    count = 1
    for length in shape:
        count *= length
    return count


class Tensor:
    """
    An array with a shape, for code without numpy and for integers of 64 bits that must keep their type.

    ``Tensor(x)`` marks an array of numpy (or torch, TensorFlow, JAX) so that int64 arrives as ``BigInt64Array``.
    ``Tensor(data, shape, dtype)`` is made of bytes or of an ``array.array``.
    """

    __slots__ = ("data", "shape", "dtype")

    def __init__(
        self, data: Any, shape: Optional[Sequence[int]] = None, dtype: Optional[str] = None
    ) -> None:
        found = None if isinstance(data, (bytes, bytearray)) else memory_of(data)
        if found is not None:
            own_dtype, own_shape, view = found
            self.data = view
            self.dtype = dtype or own_dtype
            self.shape = tuple(own_shape if shape is None else shape)
        else:
            self.data = memoryview(data).cast("B")
            self.dtype = dtype or "uint8"
            if self.dtype not in _ITEM_SIZES:
                raise TypeError(f"Tensor: unknown dtype {self.dtype!r}")
            length = self.data.nbytes // _ITEM_SIZES[self.dtype]
            self.shape = (length,) if shape is None else tuple(shape)
        if self.dtype not in _ITEM_SIZES:
            raise TypeError(f"Tensor: unknown dtype {self.dtype!r}")
        if count_of(self.shape) * _ITEM_SIZES[self.dtype] != self.data.nbytes:
            raise ValueError(
                f"Tensor: shape {self.shape} of {self.dtype} does not fit {self.data.nbytes} bytes"
            )

    def __len__(self) -> int:
        if len(self.shape) == 0:
            raise TypeError("len() of a tensor without dimensions")
        return self.shape[0]

    def tolist(self) -> Any:
        """The elements as nested lists."""
        flat = self.data.cast("B").cast(_CODES[self.dtype]).tolist()
        return _nested(flat, self.shape)

    def __repr__(self) -> str:
        return f"Tensor({self.dtype}, shape={self.shape})"


def _nested(flat: list, shape: Tuple[int, ...]) -> Any:
    if len(shape) == 0:
        return flat[0]
    if len(shape) == 1:
        return flat
    step = count_of(shape[1:])
    return [_nested(flat[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


def memory_of(value: Any) -> Optional[Tuple[str, Tuple[int, ...], memoryview]]:
    """
    The element type, shape and contiguous memory of an array; ``None`` for any other value. Frameworks are recognized
    by the name of their module, so that none of them is imported.
    """
    kind = type(value)
    if kind is Tensor:
        return value.dtype, value.shape, value.data
    if kind is array:
        dtype = _DTYPE_OF_CODE.get(value.typecode)
        return None if dtype is None else (dtype, (len(value),), memoryview(value).cast("B"))
    if kind is memoryview:
        dtype = _DTYPE_OF_CODE.get(value.format)
        if dtype is None or not value.c_contiguous:
            raise Refused(f"it is a memoryview of format {value.format!r} that cannot be sent")
        return dtype, tuple(value.shape or ()), value.cast("B")
    module = (kind.__module__ or "").partition(".")[0]
    if module == "numpy":
        return _numpy_memory(value) if kind.__name__ == "ndarray" else None
    found = None
    if module == "torch" and hasattr(value, "detach"):
        found = _torch_array(value)
    elif module == "tensorflow" and hasattr(value, "numpy"):
        found = value.numpy()
    elif module in ("jax", "jaxlib") and hasattr(value, "__array__"):
        found = value.__array__()
    return None if found is None else _numpy_memory(found)


def _torch_array(value: Any) -> Any:
    if str(value.dtype) == "torch.bfloat16":
        raise Refused("it is a tensor of bfloat16, which no typed array holds: convert it with .float()")
    return value.detach().cpu().numpy()


def _numpy_memory(value: Any) -> Tuple[str, Tuple[int, ...], memoryview]:
    numpy = sys.modules["numpy"]
    if getattr(value, "ndim", None) is None or not isinstance(value, numpy.ndarray):
        value = numpy.asarray(value)
    dtype = value.dtype.name
    if dtype not in _CODES:
        raise Refused(f"it is an array of {dtype}, which no typed array holds")
    if value.dtype.byteorder == ">":
        value = value.astype(value.dtype.newbyteorder("<"))
    if not value.flags.c_contiguous:
        value = numpy.ascontiguousarray(value)
    shape = tuple(int(length) for length in value.shape)
    if value.size == 0:
        return dtype, shape, memoryview(b"")
    return dtype, shape, memoryview(value.reshape(-1).view(numpy.uint8))


def without_int64(dtype: str, view: memoryview) -> Tuple[str, memoryview]:
    """
    Turns integers of 64 bits into float64, because JSON and ordinary JavaScript numbers are of that type.

    :raises Refused: if an integer is beyond ±2^53
    """
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        items = numpy.frombuffer(view, dtype=dtype)
        if items.size and (int(items.max()) > _SAFE or int(items.min()) < -_SAFE):
            raise Refused(_TOO_LARGE)
        return "float64", memoryview(items.astype(numpy.float64).view(numpy.uint8))
    numbers = view.cast(_CODES[dtype]).tolist()
    if numbers and (max(numbers) > _SAFE or min(numbers) < -_SAFE):
        raise Refused(_TOO_LARGE)
    return "float64", memoryview(array("d", numbers)).cast("B")


_TOO_LARGE = "it holds integers beyond ±2^53: return inserve.Tensor(x) to keep them as a BigInt64Array"


def to_array(dtype: str, shape: Sequence[int], view: memoryview) -> Any:
    """
    An array over received memory, without a copy: of numpy if it can be imported, else a ``memoryview`` for one
    dimension and a ``Tensor`` for others.
    """
    numpy = _numpy()
    if numpy is not None:
        return numpy.frombuffer(view, dtype=dtype).reshape(tuple(shape))
    if len(shape) == 1 and dtype != "float16":
        return view.cast("B").cast(_CODES[dtype])
    return Tensor(view, shape, dtype)


def is_known_dtype(dtype: Any) -> bool:
    """Whether an element type can cross the link."""
    return isinstance(dtype, str) and dtype in _CODES


def item_size(dtype: str) -> int:
    """The bytes of one element."""
    return _ITEM_SIZES[dtype]


_numpy_module: Any = None


def _numpy() -> Any:
    """Imports numpy at the first array, if it is installed."""
    global _numpy_module
    if _numpy_module is None:
        try:
            import numpy

            _numpy_module = numpy
        except ImportError:
            _numpy_module = False
    return _numpy_module or None
