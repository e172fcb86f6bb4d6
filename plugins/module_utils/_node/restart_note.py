# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A required restart: recorded before a change that the running server does not notice.

The note outlives a run that is killed between the change and the restart. It counts only while the process that
was running then still runs: a process started later has read everything again. Processes are told apart by identity,
not by time, so that a clock that is set changes nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Dict, List, Optional

from .._formats.json_reader import parse_json
from .._host.directories import make_directories
from .._host.reading import OWN_RECORD_LIMIT, read_file
from .._host.writing import write_atomic

FILE_NAME = "restart-required.json"


class RestartNote:
    """The note in a node's state directory.

    :param path: path of the note as this process sees it
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def reasons(self, process: Optional[str]) -> List[str]:
        """Why the process must be restarted, oldest reason first.

        :param process: identity of the service's process; None if nothing runs
        """
        if process is None:
            return []
        return [item["reason"] for item in self._read() if item["process"] == process]

    def add(self, reason: str, process: Optional[str]) -> None:
        """Record that the process that runs now needs a restart; nothing is recorded if nothing runs.

        :raises OSError: it cannot be recorded
        """
        if process is None or reason in self.reasons(process):
            return
        note = [item for item in self._read() if item["process"] == process]
        note.append({"process": process, "reason": reason})
        make_directories(os.path.dirname(self._path))
        write_atomic(self._path, json.dumps(note, indent=2).encode("utf-8"))

    def _read(self) -> List[Dict[str, str]]:
        with contextlib.suppress(OSError, ValueError):
            note = parse_json(read_file(self._path, OWN_RECORD_LIMIT))
            return [item for item in note if _is_item(item)] if isinstance(note, list) else []
        return []


def _is_item(item: Any) -> bool:
    return isinstance(item, dict) and all(isinstance(item.get(key), str) for key in ("process", "reason"))
