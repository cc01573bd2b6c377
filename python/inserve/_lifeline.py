"""The end of a replica's process group together with the host."""

from __future__ import annotations

import os
import select
import signal
import sys


def end_group() -> None:
    """Ends this process, and its group if it leads one, at once."""
    if hasattr(os, "getpgrp") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


def end_group_with(fd: int) -> bool:
    """
    Asks Linux to end the process group as soon as the other end of a silent pipe is closed, which is when the host, or the
    thread that spawned this process, is gone: the kernel then sends ``SIGKILL`` in place of ``SIGIO``. It needs no thread, so
    that it works while a C function holds the interpreter.

    A parent-death signal beside it would end this process, and with it the pipe, before the kernel closes the other end.

    :returns: whether the kernel was asked
    """
    if not sys.platform.startswith("linux") or os.getpgrp() != os.getpid():
        return False
    try:
        import fcntl

        os.set_inheritable(fd, False)
        fcntl.fcntl(fd, fcntl.F_SETOWN, -os.getpid())
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
    except (OSError, AttributeError, ImportError):
        return False
    # It may have been closed before.
    if select.select([fd], [], [], 0)[0]:
        end_group()
    return True


def die_with_parent(host: int) -> None:
    """
    Asks Linux to end this process with the thread that spawned it, where ``end_group_with`` cannot be had. Elsewhere the end
    of the link has to suffice.

    :param host: the process that spawned this one; it may be gone already
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError, ImportError):
        return
    if host not in (0, os.getppid()):
        os._exit(1)
