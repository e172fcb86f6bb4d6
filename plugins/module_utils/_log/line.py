# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
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

from .._core.text import one_line
from .._formats.json_reader import parse_json

# No pattern has a gap without a bound, and none sees more of a line than LONGEST_TEXT: a plugin writes what it likes.
_TEXT = re.compile(r"\[(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) (\w{1,8})\] \[(\w{4})\] ", re.ASCII)
_TEXT_LEVELS = {"DEBG": "debug", "INFO": "info", "WARN": "warn", "EROR": "error", "CRIT": "critical"}
_TABS = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S{0,20})\s{1,20}(debug|info|warn|error|fatal|panic)\s{1,20}\S{1,200}:\d{1,9}\s{1,20}",
    re.ASCII,
)
_PAIRS = re.compile(r"(debug|info|warn|error|critical|panic|fatal)\s{1,20}\[([^\]]{19,40})\] ")
_STAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(\.\d{1,9})?\s?(Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_PLUGIN_ID = re.compile(r'plugin_id"?[=:]\s?"?([\w.-]{1,200})')
# Of the fields only these are read: errorVerbose and stacks repeat the error with the names of functions.
_TOLD = ("error", "err", "path", "bundle", "directory", "details")
_JOURNAL = re.compile(r"(\d{9,11}\.\d{1,9}) \S{1,255} ([^\s:]{1,255}): ", re.ASCII)
LONGEST_LINE = 64 * 1024  # of JSON, with a stack in it; what is longer is cut and so no JSON any more
LONGEST_TEXT = 4 * 1024
_LONGEST_ID = 190  # Mattermost's own limit
_LONGEST_SHOWN = 400
_LAST_MOMENT = 253_402_300_800.0  # the year 10000, of which no calendar here knows


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
        """As evidence: with its time and its place."""
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.time)) if self.time else "no time"
        return f"{place}, {when}: {self.told()}"

    def told(self) -> str:
        """The text in one line, not too long, without its secrets and what a terminal would obey."""
        from .._core.secrets import masked

        return one_line(masked(" ".join(self.text.split())), _LONGEST_SHOWN)


def parse_journal_line(line: str) -> LogLine:
    """A line of ``journalctl --output=short-unix``."""
    match = _JOURNAL.match(line)
    if match is None:
        return parse_log_line(line)
    found = parse_log_line(line[match.end() :])
    return LogLine(float(match.group(1)), found.level, found.text, found.plugin_id)


def parse_log_line(line: str) -> LogLine:
    """A line of the server's own log; of an unknown format the text is the line.

    Anything wrong with a line costs no more than what it would have told: a time that is none is no time.
    """
    line = line[:LONGEST_LINE]
    start = line.find("{") if not line.startswith("{") else 0
    if start == 0 or (start > 0 and line[start : start + 2] == '{"' and ("level" in line or "msg" in line)):
        found = _parse_json(line[start:])
        if found is not None:
            return found
    line = line[:LONGEST_TEXT]
    for pattern, read in ((_TEXT, _of_text), (_TABS, _of_tabs), (_PAIRS, _of_pairs)):
        match = pattern.search(line)
        if match:
            return read(match, line[match.end() :])
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
        str(record.get("level", ""))[:_LONGEST_ID],
        _joined(str(record["msg"]), record),
        plugin_id[:_LONGEST_ID] if isinstance(plugin_id, str) else "",
    )


def _joined(message: str, fields: Dict[str, Any]) -> str:
    told = [str(fields[name]) for name in _TOLD if fields.get(name) not in (None, "")]
    return ": ".join([message, *told])[:LONGEST_TEXT]


def _json_time(record: Dict[str, Any]) -> Optional[float]:
    stamp = record.get("ts")
    if isinstance(stamp, (int, float)) and not isinstance(stamp, bool):
        return _moment(float(stamp))  # a number of JSON is never too large for it
    return parse_stamp(str(record.get("timestamp") or stamp or "")[:_LONGEST_ID])


def _moment(seconds: float) -> Optional[float]:
    """None for what no log can mean."""
    return seconds if 0 <= seconds < _LAST_MOMENT else None


def parse_stamp(text: str) -> Optional[float]:
    """``2021-11-22 15:55:34.633 Z``, ``2021-11-22T15:55:34.633+0100``; without a zone it is taken for UTC."""
    match = _STAMP.search(text)
    if match is None:
        return None
    try:
        seconds = calendar.timegm((*(int(match.group(number)) for number in range(1, 7)), 0, 0, 0))
    except ValueError:  # a month 99
        return None
    zone = match.group(8) or "Z"
    offset = 0
    if zone != "Z":
        digits = zone[1:].replace(":", "")
        offset = (int(digits[:2]) * 60 + int(digits[2:])) * 60 * (-1 if zone[0] == "-" else 1)
    return _moment(seconds - offset + float(match.group(7) or 0))


def _of_text(match: re.Match[str], text: str) -> LogLine:
    return LogLine(
        _local_time(match.group(1), match.group(2)), _TEXT_LEVELS.get(match.group(3), ""), text, _plugin_id_in(text)
    )


def _local_time(text: str, zone: str) -> Optional[float]:
    """Other zones than UTC are this host's own: the server writes local time."""
    try:
        parts = time.strptime(text, "%Y/%m/%d %H:%M:%S")
        return _moment(float(calendar.timegm(parts) if zone in ("UTC", "GMT") else int(time.mktime(parts))))
    except (ValueError, OverflowError):
        return None


def _of_tabs(match: re.Match[str], text: str) -> LogLine:
    message, brace, rest = text.partition("{")
    try:
        fields = parse_json(brace + rest) if brace else {}
    except ValueError:
        fields = {}
    moment, level = parse_stamp(match.group(1)), match.group(2)
    if not isinstance(fields, dict) or not fields:
        return LogLine(moment, level, text, _plugin_id_in(text))
    plugin_id = fields.get("plugin_id", "")
    plugin_id = plugin_id[:_LONGEST_ID] if isinstance(plugin_id, str) else ""
    return LogLine(moment, level, _joined(message.strip(), fields), plugin_id)


def _of_pairs(match: re.Match[str], text: str) -> LogLine:
    text = re.sub(r"\s{2,}|\s(?=caller=)", " ", text).replace('\\"', '"')
    text = re.sub(r'\bcaller="?[^"\s]*"? ?', "", text)
    return LogLine(parse_stamp(match.group(2)), match.group(1), text, _plugin_id_in(text))


def _plugin_id_in(text: str) -> str:
    match = _PLUGIN_ID.search(text)
    return match.group(1) if match else ""
