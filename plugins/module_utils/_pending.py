# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""A restart that is owed: noted before a change that the running server does not notice.

The note outlives a run that is killed between the change and the restart. It counts only while the process that
was running then still runs: a process started later has read everything anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any, Dict, List, Optional

from ._files import write_atomic

FILE_NAME = "restart-required.json"


class RestartNote:
    """The note in a node's state directory.

    :param path: path of the note as this process sees it
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def reasons(self, started_at: Optional[float]) -> List[str]:
        """Why the process must be restarted, oldest reason first.

        :param started_at: when the service's process started, epoch seconds; None if nothing runs
        """
        if started_at is None:
            return []
        note = self._read()
        return [str(item["reason"]) for item in note if float(item["at"]) >= started_at]

    def add(self, reason: str, started_at: Optional[float]) -> None:
        """Note that the process that runs now owes a restart; nothing is noted if nothing runs."""
        if started_at is None or reason in self.reasons(started_at):
            return
        note = [item for item in self._read() if float(item["at"]) >= started_at]
        note.append({"at": time.time(), "reason": reason})
        os.makedirs(os.path.dirname(self._path), mode=0o755, exist_ok=True)
        write_atomic(self._path, json.dumps(note, indent=2).encode("utf-8"))

    def _read(self) -> List[Dict[str, Any]]:
        with contextlib.suppress(OSError, ValueError), open(self._path, "rb") as source:
            note = json.loads(source.read().decode("utf-8"))
            return [item for item in note if _is_item(item)] if isinstance(note, list) else []
        return []


def _is_item(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("at"), (int, float)) and "reason" in item
