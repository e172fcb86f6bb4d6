# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work as another account: in a child process that has given up all else for good."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import time
import traceback
from typing import Any, Callable, Dict, NoReturn, Optional, Sequence, Set

from .._core.errors import OperatorError
from .._formats.json_reader import parse_json
from .account import Account

SECONDS = 30.0  # the account may stop a process that has its own uid
ANSWER_LIMIT = 16 * 1024 * 1024
_PART = 64 * 1024
_PR_SET_DUMPABLE = 4
_DESCRIPTORS = "/proc/self/fd"


def act_as(account: Account, task: Callable[[], Any], descriptors: Sequence[int] = (), seconds: float = SECONDS) -> Any:
    """Run ``task`` in a child process with the account's user and groups; what it returns must be JSON.

    The child has no descriptor but ``descriptors``, no environment, and cannot be traced by the account. It acts as
    this process does where this process may not switch: see :func:`.accounts.can_switch`.

    :param seconds: how long it may take
    :raises OSError: as ``task`` raised it, with errno and file name
    :raises OperatorError: the switch failed, or the child was stopped or killed
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _run_child(account, task, writer, {writer, *descriptors})
    os.close(writer)
    try:
        data = _read_answer(reader, time.monotonic() + seconds)
    finally:
        os.close(reader)
        if not _has_ended(child):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    if not data:
        raise OperatorError(
            f"a check as user {account.name} ended without an answer",
            found=f"it was stopped or killed, or took longer than {seconds:.0f} s",
            remedy="look for processes of that user that stop others, and for a killed process in the kernel log",
        )
    return _unpack(parse_json(data), account)


def _read_answer(reader: int, end: float) -> bytes:
    """What the child writes until it closes its end; nothing where it does not in time."""
    data = b""
    while len(data) <= ANSWER_LIMIT:
        ready, _writable, _failed = select.select([reader], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return b""
        part = os.read(reader, _PART)
        if not part:
            return data
        data += part
    return b""


def _has_ended(child: int) -> bool:
    """Whether it is gone, a moment allowed for what comes after its last byte."""
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.001)
    return False


def _run_child(account: Account, task: Callable[[], Any], writer: int, kept: Set[int]) -> NoReturn:
    # os._exit: what the parent has buffered or registered for its end must not happen twice.
    answer: Dict[str, Any]
    try:
        _give_up(kept)
        answer = _switch(account)
        if not answer:
            answer = {"value": task()}
        data = json.dumps(answer)
    except OSError as error:
        data = json.dumps({"errno": error.errno, "strerror": error.strerror, "filename": _text(error.filename)})
    except BaseException:
        data = json.dumps({"trace": traceback.format_exc()})
    try:
        with os.fdopen(writer, "wb") as out:
            out.write(data.encode("utf-8"))
    finally:
        os._exit(0)


def _give_up(kept: Set[int]) -> None:
    """What the account must not get at through this process, regardless of the host's fs.suid_dumpable."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.environ.clear()
    # Not all that could be: in containers the limit may be a thousand million.
    opened = {int(name) for name in os.listdir(_DESCRIPTORS)} if os.path.isdir(_DESCRIPTORS) else set(range(1024))
    for descriptor in opened - kept:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _switch(account: Account) -> Dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    try:
        os.setgroups(account.groups)
        os.setgid(account.gid)
        os.setuid(account.uid)  # last: it gives up the right to the others
    except OSError as error:
        return {"switch": error.strerror}
    return {}


def _unpack(answer: Dict[str, Any], account: Account) -> Any:
    if "value" in answer:
        return answer["value"]
    if "switch" in answer:
        raise OperatorError(
            f"cannot act as user {account.name}",
            found=answer["switch"],
            wanted=f"uid {account.uid}, gid {account.gid}",
            remedy="run as a root that may change users (in a container: with CAP_SETUID and CAP_SETGID)",
        )
    if "trace" in answer:
        raise RuntimeError(f"as user {account.name}:\n{answer['trace']}")
    raise OSError(answer["errno"], answer["strerror"], answer["filename"])


def _text(name: Any) -> Optional[str]:
    return None if name is None else os.fsdecode(name) if isinstance(name, (str, bytes)) else str(name)
