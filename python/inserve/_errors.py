"""Exceptions of the serving layer, and exceptions as plain data."""

from __future__ import annotations

import os
import traceback
from typing import Any, Callable, Optional

_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep
_RUNNER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "runner.py")
# A chain of causes longer than this is cut.
_MAX_CAUSES = 8


class ServeError(Exception):
    """An error with a code of the serving layer, such as ``SERVE_TIMEOUT``."""

    def __init__(self, code: str, message: str = "", **data: Any) -> None:
        super().__init__(message)
        self.code = code
        for name, value in data.items():
            setattr(self, name, value)


class RemoteError(Exception):
    """An exception that the method of another deployment raised; ``name`` is the name of its class there."""

    def __init__(self, name: str, message: str, stack: Optional[str] = None) -> None:
        super().__init__(message)
        self.name = name
        self.stack = stack


class BatchError(Exception):
    """Takes the place of an item's result in a batch and makes only that item fail."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


def traceback_text(error: BaseException) -> str:
    """The traceback of an exception without the frames of this package."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_own(frame.filename)]
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(own)] if own else []
    return "".join([*lines, *traceback.format_exception_only(type(error), error)]).rstrip()


def _is_own(path: str) -> bool:
    return path.startswith(_OWN_FOLDER) or path == _RUNNER or path.startswith("<frozen importlib")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _snake(name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name)


def to_envelope(error: BaseException, take: Callable[[Any], Any], depth: int = 0) -> dict:
    """
    Turns an exception into plain data. ``take`` checks a nested value; a member that it refuses is left out.
    """
    if isinstance(error, BatchError):
        error = error.error
    name = type(error).__name__
    message = _message_of(error)
    if isinstance(error, RemoteError):
        name = error.name
    elif isinstance(error, KeyError) and len(error.args) == 1:
        message = _message_of(error.args[0])
    data = {}
    for key, value in _members(error).items():
        try:
            data[_camel(key)] = take(value)
        except Exception:
            continue
    if name == "HTTPException" and "statusCode" in data:
        data["expose"] = True
        message = _message_of(data.get("detail", message))
    envelope = {"name": name, "message": message, "stack": traceback_text(error), "data": data}
    cause = error.__cause__
    if cause is None and not error.__suppress_context__:
        cause = error.__context__
    if cause is not None and depth < _MAX_CAUSES:
        envelope["cause"] = to_envelope(cause, take, depth + 1)
    return envelope


def _message_of(value: Any) -> str:
    """The text of an exception or of what it holds; the code that makes the text is the user's and may fail."""
    try:
        return str(value)
    except Exception as error:
        return f"<the text of the {type(value).__name__} cannot be made: its __str__ raised {type(error).__name__}>"


def _members(error: BaseException) -> dict:
    try:
        members = dict(vars(error))
    except TypeError:
        return {}
    if isinstance(error, RemoteError):
        members.pop("name", None)
        members.pop("stack", None)
    return {
        key: value
        for key, value in members.items()
        if not key.startswith("_") and not callable(value) and value is not None
    }


def from_envelope(envelope: dict) -> Exception:
    """Restores an exception from plain data."""
    data = envelope.get("data") or {}
    code = data.get("code")
    name = str(envelope.get("name", "Error"))
    message = str(envelope.get("message", ""))
    error: Exception
    if isinstance(code, str) and code.startswith("SERVE_"):
        error = ServeError(code, message)
    else:
        error = RemoteError(name, message, envelope.get("stack"))
    for key, value in data.items():
        attribute = _snake(key)
        if attribute.isidentifier() and attribute not in ("args", "name", "stack"):
            setattr(error, attribute, value)
    cause = envelope.get("cause")
    if isinstance(cause, BaseException):
        error.__cause__ = cause
    elif isinstance(cause, dict) and "message" in cause:
        error.__cause__ = from_envelope(cause)
    return error
