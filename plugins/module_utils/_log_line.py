# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""One line of a server's log, in every format that servers from 4.4 to 11 write.

Text (to 4.9), JSON (from 4.10), the two plain console formats (tabs to 5.37, ``key=value`` after), and each of them
behind the prefix that a journal or a container runtime puts before it.
"""

from __future__ import annotations

import calendar
import re
import time
from dataclasses import dataclass
from typing import Any, Dict, Optional

from ._json_reader import parse_json

_TEXT = re.compile(r"\[(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) (\w+)\] \[(\w{4})\] (.*)", re.DOTALL)
_TEXT_LEVELS = {"DEBG": "debug", "INFO": "info", "WARN": "warn", "EROR": "error", "CRIT": "critical"}
_TABS = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*)\s+(debug|info|warn|error|fatal|panic)\s+\S+:\d+\s+(.*)", re.DOTALL
)
_PAIRS = re.compile(r"(debug|info|warn|error|critical|panic|fatal)\s+\[([^\]]{19,40})\] (.*)", re.DOTALL)
_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?")
_PLUGIN_ID = re.compile(r'plugin_id"?[=:]\s?"?([\w.-]+)')
# Of the fields only these are read: errorVerbose and stacks repeat the error with the names of functions.
_TOLD = ("error", "err", "path", "bundle", "directory", "details")
_JOURNAL = re.compile(r"(\d{9,11}\.\d+) \S+ ([^\s:]+): (.*)", re.DOTALL)
_LONGEST_SHOWN = 400


@dataclass(frozen=True)
class LogLine:
    """A line as an operator reads it.

    :param time: seconds since the epoch, None where the line has no time
    :param text: message and error
    :param plugin_id: empty where the line names none in a field
    """

    time: Optional[float]
    level: str
    text: str
    plugin_id: str = ""

    def shown(self, place: str) -> str:
        """As evidence: with its time and where it stands."""
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.time)) if self.time else "no time"
        return f"{place}, {when}: {self.told()}"

    def told(self) -> str:
        """The text in one line, not too long."""
        text = " ".join(self.text.split())
        return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def parse_journal_line(line: str) -> LogLine:
    """A line of ``journalctl --output=short-unix``."""
    match = _JOURNAL.match(line)
    if match is None:
        return parse_log_line(line)
    found = parse_log_line(match.group(3))
    return LogLine(float(match.group(1)), found.level, found.text, found.plugin_id)


def parse_log_line(line: str) -> LogLine:
    """A line of the server's own log; of an unknown format the text is the line."""
    start = line.find("{") if not line.startswith("{") else 0
    if start == 0 or (start > 0 and line[start : start + 2] == '{"' and ("level" in line or "msg" in line)):
        found = _parse_json(line[start:])
        if found is not None:
            return found
    for pattern, read in ((_TEXT, _of_text), (_TABS, _of_tabs), (_PAIRS, _of_pairs)):
        match = pattern.search(line)
        if match:
            return read(match)
    return LogLine(None, "", line.strip(), _plugin_id_in(line))


def _parse_json(text: str) -> Optional[LogLine]:
    try:
        record = parse_json(text)
    except ValueError:
        return None
    if not isinstance(record, dict) or "msg" not in record:
        return None
    plugin_id = record.get("plugin_id", "")
    return LogLine(
        _json_time(record),
        str(record.get("level", "")),
        _joined(str(record["msg"]), record),
        plugin_id if isinstance(plugin_id, str) else "",
    )


def _joined(message: str, fields: Dict[str, Any]) -> str:
    told = [str(fields[name]) for name in _TOLD if fields.get(name) not in (None, "")]
    return ": ".join([message, *told])


def _json_time(record: Dict[str, Any]) -> Optional[float]:
    stamp = record.get("ts")
    if isinstance(stamp, (int, float)) and not isinstance(stamp, bool):
        return float(stamp)
    return parse_stamp(str(record.get("timestamp") or stamp or ""))


def parse_stamp(text: str) -> Optional[float]:
    """``2021-11-22 15:55:34.633 Z``, ``2021-11-22T15:55:34.633+0100``; without a zone it is taken for UTC."""
    match = _STAMP.search(text)
    if match is None:
        return None
    seconds = calendar.timegm((*(int(match.group(number)) for number in range(1, 7)), 0, 0, 0))
    zone = match.group(8) or "Z"
    offset = 0
    if zone != "Z":
        digits = zone[1:].replace(":", "")
        offset = (int(digits[:2]) * 60 + int(digits[2:])) * 60 * (-1 if zone[0] == "-" else 1)
    return seconds - offset + float(match.group(7) or 0)


def _of_text(match: re.Match[str]) -> LogLine:
    parts = time.strptime(match.group(1), "%Y/%m/%d %H:%M:%S")
    # Other zones than UTC are this host's own: the server writes local time.
    seconds = calendar.timegm(parts) if match.group(2) in ("UTC", "GMT") else int(time.mktime(parts))
    text = match.group(4)
    return LogLine(float(seconds), _TEXT_LEVELS.get(match.group(3), ""), text, _plugin_id_in(text))


def _of_tabs(match: re.Match[str]) -> LogLine:
    message, brace, rest = match.group(3).partition("{")
    try:
        fields = parse_json(brace + rest) if brace else {}
    except ValueError:
        fields = {}
    if not isinstance(fields, dict) or not fields:
        text = match.group(3)
        return LogLine(parse_stamp(match.group(1)), match.group(2), text, _plugin_id_in(text))
    plugin_id = str(fields.get("plugin_id", ""))
    return LogLine(parse_stamp(match.group(1)), match.group(2), _joined(message.strip(), fields), plugin_id)


def _of_pairs(match: re.Match[str]) -> LogLine:
    text = re.sub(r"\s{2,}|\s(?=caller=)", " ", match.group(3)).replace('\\"', '"')
    text = re.sub(r'\bcaller="?[^"\s]*"? ?', "", text)
    return LogLine(parse_stamp(match.group(2)), match.group(1), text, _plugin_id_in(text))


def _plugin_id_in(text: str) -> str:
    match = _PLUGIN_ID.search(text)
    return match.group(1) if match else ""
