# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server log: l4g text to 4.9, zap JSON to 5.37, logr JSON after; on stdout and in mattermost.log."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any, Dict, List, Mapping, Optional, TextIO, Tuple

from .versions import Traits

_LEVELS = ["debug", "info", "warn", "error", "critical"]
_L4G_NAMES = {"debug": "DEBG", "info": "INFO", "warn": "WARN", "error": "EROR", "critical": "CRIT"}


class Log:
    """Keeps lines until `open` tells where they go, because reading the config already logs."""

    def __init__(self, traits: Traits) -> None:
        self._traits = traits
        self._lock = threading.Lock()
        self._waiting: List[Tuple[str, str, Dict[str, Any]]] = []
        self._outputs: List[Tuple[TextIO, int, bool]] = []
        self._opened = False

    def open(self, settings: Mapping[str, Any], found_logs_directory: Optional[str]) -> None:
        """settings: LogSettings. An unwritable log file is reported on stderr; the server runs on."""
        with self._lock:
            if settings.get("EnableConsole", True):
                level = _level(settings.get("ConsoleLevel", "DEBUG"))
                self._outputs.append((sys.stdout, level, settings.get("ConsoleJson", True)))
            if settings.get("EnableFile", True):
                directory = settings.get("FileLocation") or found_logs_directory or "."
                try:
                    os.makedirs(directory, 0o744, exist_ok=True)
                    path = os.path.join(directory, "mattermost.log")
                    stream = open(path, "a", encoding="utf-8")  # noqa: SIM115 (open as long as the server runs)
                    self._outputs.append(
                        (stream, _level(settings.get("FileLevel", "INFO")), settings.get("FileJson", True))
                    )
                except OSError as error:
                    print(f"cannot write the log file: {error}", file=sys.stderr)
            self._opened = True
            waiting, self._waiting = self._waiting, []
            for level_name, message, fields in waiting:
                self._emit(level_name, message, fields)

    def debug(self, message: str, **fields: Any) -> None:
        self._write("debug", message, fields)

    def info(self, message: str, **fields: Any) -> None:
        self._write("info", message, fields)

    def warn(self, message: str, **fields: Any) -> None:
        self._write("warn", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        self._write("error", message, fields)

    def critical(self, message: str, **fields: Any) -> None:
        self._write("critical", message, fields)

    def _write(self, level: str, message: str, fields: Dict[str, Any]) -> None:
        with self._lock:
            if self._opened:
                self._emit(level, message, fields)
            else:
                self._waiting.append((level, message, fields))

    def _emit(self, level: str, message: str, fields: Dict[str, Any]) -> None:
        fields = {name: value if isinstance(value, (bool, int)) else str(value) for name, value in fields.items()}
        for stream, minimum, as_json in self._outputs:
            if _LEVELS.index(level) >= minimum:
                stream.write(self._line(level, message, fields, as_json) + "\n")
                stream.flush()

    def _line(self, level: str, message: str, fields: Dict[str, Any], as_json: bool) -> str:
        now = time.time()
        if self._traits.text_log:
            stamp = time.strftime("%Y/%m/%d %H:%M:%S UTC", time.gmtime(now))
            tail = "".join(f" {name}={value}" for name, value in fields.items())
            return f"[{stamp}] [{_L4G_NAMES[level]}] {message}{tail}"
        if self._traits.zap_log:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now))
            start: Dict[str, Any] = {"level": level, "ts": now, "caller": "standin/server.go:1", "msg": message}
            plain = f"{stamp}\t{level}\tstandin/server.go:1\t{message}\t{json.dumps(fields)}"
        else:
            stamp = time.strftime("%Y-%m-%d %H:%M:%S.000 Z", time.gmtime(now))
            start = {"timestamp": stamp, "level": level, "msg": message, "caller": "standin/server.go:1"}
            plain = f'{level:5} [{stamp}] {message} caller="standin/server.go:1"'
            plain += "".join(f" {name}={json.dumps(value)}" for name, value in fields.items())
        if as_json:
            return json.dumps({**start, **fields}, separators=(",", ":"), ensure_ascii=False)
        return plain


def _level(name: Any) -> int:
    lowered = str(name).lower()
    return _LEVELS.index(lowered) if lowered in _LEVELS else 0
