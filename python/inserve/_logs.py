"""Records of the module ``logging``, sent to the host with the request that they belong to."""

from __future__ import annotations

import logging
from typing import Callable

from ._context import current
from ._encode import dumps
from ._wire import LOG

_MAX_TEXT = 16_384


def level_name(level: int) -> str:
    """The level of the host's logger for a level of Python."""
    if level >= logging.ERROR:
        return "error"
    if level >= logging.WARNING:
        return "warn"
    return "info" if level >= logging.INFO else "debug"


class HostHandler(logging.Handler):
    """Sends records as frames."""

    def __init__(self, send: Callable[[str], None]) -> None:
        super().__init__()
        self._send = send
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Sends one record; a record that cannot be formatted is reported as ``logging`` does."""
        try:
            text = self.format(record)
            if len(text) > _MAX_TEXT:
                text = text[:_MAX_TEXT] + " …"
            call = current.get()
            fields = [level_name(record.levelno), record.name, text, call._meta.get("r"), call._meta.get("route")]
            self._send(f"[{LOG},{dumps(fields)}]")
        except OSError:
            pass
        except Exception:
            self.handleError(record)


def forward_logs(level: str, send: Callable[[str], None]) -> None:
    """Makes the root logger write to the host, from the given level of the host's logger on."""
    levels = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
    root = logging.getLogger()
    root.addHandler(HostHandler(send))
    root.setLevel(levels.get(level, logging.INFO))
