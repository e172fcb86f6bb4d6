# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is changing an app server now: a record on the node, so that no two runs change it, also of two controllers.

The record expires (the lease): a run that was killed does not lock a node forever.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from typing import Any, Callable, Dict, Mapping, Optional

from .._formats.json_reader import parse_json
from .._host.directories import make_directories
from .._host.locks import alone
from .._host.reading import OWN_RECORD_LIMIT, exists, is_directory, read_file
from .._host.writing import fsync_directory, unlink, write_atomic

FILE_NAME = "run-lock.json"
LOCK = ".lock"


@dataclass(frozen=True)
class Holder:
    """One run of a playbook.

    :param run: tells runs apart
    :param user: who started it on the controller
    :param controller: the controller's host name
    :param pid: of the run's process there
    :param process: identity of that process, which no other one has
    :param namespace: where that pid counts: two containers may share a host name
    :param since: when it took the lock, by the node's clock
    :param expires: when its lease ends, likewise
    """

    run: str
    user: str = ""
    controller: str = ""
    pid: int = 0
    process: str = ""
    namespace: str = ""
    since: float = 0.0
    expires: float = 0.0

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Holder:
        """The holder that :meth:`to_dict` has written.

        :raises TypeError, ValueError: this is no record of a holder
        """
        return cls(
            run=str(value["run"]),
            user=str(value.get("user") or ""),
            controller=str(value.get("controller") or ""),
            pid=int(value.get("pid") or 0),
            process=str(value.get("process") or ""),
            namespace=str(value.get("namespace") or ""),
            since=float(value.get("since") or 0),
            expires=float(value.get("expires") or 0),
        )

    def to_dict(self) -> Dict[str, Any]:
        """As it is recorded."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.user or 'somebody'} on {self.controller or 'an unknown controller'} (process {self.pid})"

    def description(self) -> str:
        """Who, since when, until when, for the operator of another run."""
        lease = f"its lease ends {_clock(self.expires)}" if self.expires else "it released its lock"
        return f"the run of {self}, since {_clock(self.since)}, {lease}"


class RunLock:
    """The lock of one node.

    :param path: real path of the record; its directory is made when the lock is first taken
    :param clock: seconds since the epoch, replaceable for tests
    """

    def __init__(self, path: str, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def recorded(self) -> Optional[Holder]:
        """Who took it last and did not end its change, also after its lease; None without a valid record."""
        try:
            return Holder.from_dict(parse_json(read_file(self._path, OWN_RECORD_LIMIT)))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def holder(self) -> Optional[Holder]:
        """Who holds it now; None if nobody does: no record, a damaged one, or a lease that is over."""
        found = self.recorded()
        return found if found is not None and found.expires > self._clock() else None

    def blocking_holder(self, run: str, gone: str = "", force: bool = False) -> Optional[Holder]:
        """The holder that keeps ``run`` from taking the lock, None if nobody does.

        :param gone: a run that is known to have ended without releasing it
        """
        found = self.holder()
        return found if found is not None and not force and found.run not in (run, gone) else None

    def take(self, mine: Holder, lease: float, gone: str = "", force: bool = False) -> Optional[Holder]:
        """Take it, or keep it for another lease; returns the holder that keeps it, None if it is ours now.

        :raises OSError: the record cannot be written
        """
        make_directories(os.path.dirname(self._path))
        with alone(self._path + LOCK):
            other = self.blocking_holder(mine.run, gone, force)
            if other is not None:
                return other
            found, now = self.holder(), self._clock()
            since = found.since if found is not None and found.run == mine.run else now
            self._write(Holder(**{**mine.to_dict(), "since": since, "expires": now + lease}))
        return None

    def release(self, run: str, force: bool = False, unfinished: bool = False) -> None:
        """Release it; somebody else's stays unless forced.

        :param unfinished: the record stays, without a lease: the next run must end what was begun
        """
        if not is_directory(os.path.dirname(self._path)):
            return
        with alone(self._path + LOCK):
            found = self.recorded()
            if not exists(self._path) or (found is not None and not force and found.run != run):
                return
            if not unfinished or found is None:
                unlink(self._path)
                fsync_directory(os.path.dirname(self._path))
            elif found.expires:
                self._write(Holder(**{**found.to_dict(), "expires": 0.0}))

    def _write(self, record: Holder) -> None:
        write_atomic(self._path, json.dumps(record.to_dict(), indent=2).encode("utf-8"))


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(seconds))
