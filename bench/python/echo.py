"""The deployment that the benchmark calls."""

from __future__ import annotations

import os
from typing import Any, List


class Echo:
    def echo(self, value: Any) -> Any:
        return value

    async def later(self, value: Any) -> Any:
        return value

    def pid(self) -> int:
        return os.getpid()

    def floats(self) -> List[float]:
        return FLOATS


FLOATS = [index / 7 for index in range(10_000)]
