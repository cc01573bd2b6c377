"""A function of the C library that trusts its caller: given a null pointer it crashes, and its process with it."""

import ctypes
from typing import Optional

libc = ctypes.CDLL(None)
libc.strlen.argtypes = [ctypes.c_char_p]
libc.strlen.restype = ctypes.c_size_t


class Measure:
    def bytes_of(self, text: Optional[str]) -> int:
        """The number of bytes that a text takes. Without a text the library reads from address 0."""
        return libc.strlen(None if text is None else text.encode())
