# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node's server has logged since its last start: its own log file, rotated ones, and the journal."""

from __future__ import annotations

import contextlib
import posixpath
import time
from dataclasses import dataclass, field
from typing import Any, Collection, Dict, List, Mapping, Optional, Tuple

from .._config.source import is_true
from .._core.errors import OperatorError
from .._host.reading import exists, status
from .._node.node import Node
from .._server.client import Server
from .._services.systemd_unit import systemd_is_running
from .line import LONGEST_TEXT, LogLine, parse_journal_line
from .patterns import INTERESTING, UNIMPORTANT, meaning_of, since_last_start, version_in
from .reader import read_log, rotated_files

FILE_NAME = "mattermost.log"
_JOURNAL_LINES = 5000
_MOST_TEXT = 1024 * 1024  # in characters, at the beginning, and at the end; as patterns see them
_START_SECONDS = 120.0  # in which a server has logged what is wrong at its start


@dataclass
class ServerLog:
    """What was read.

    :param lines: place and line, from the last start on
    :param unread: what could not be read, and why
    :param version: of the server, as logged at its last start; empty if it was not
    :param started_at: of the service's last start, None where it is not known
    """

    lines: List[Tuple[str, LogLine]] = field(default_factory=list)
    unread: List[str] = field(default_factory=list)
    version: str = ""
    started_at: Optional[float] = None


def read_server_log(node: Node, settings: Mapping[str, Any]) -> ServerLog:
    """Everything of interest since the last start.

    :param settings: LogSettings in effect
    """
    log = ServerLog(started_at=_started_at(node))
    sources = _files(node, settings, log)
    if systemd_is_running(node.root):
        sources.append((f"journal of {node.service_name}", _journal(node, log)))
    for place, lines in sources:
        lines = since_last_start(lines)
        log.version = version_in(lines) or log.version
        log.lines += [(place, line) for line in _first_and_last(lines)]
    return log


def _first_and_last(lines: List[LogLine]) -> List[LogLine]:
    """The lines that are looked at: up to a limit of the text of the first and the last of them."""
    first: List[LogLine] = []
    size = 0
    while len(first) < len(lines) and size < _MOST_TEXT:
        size += len(lines[len(first)].text)
        first.append(lines[len(first)])
    last: List[LogLine] = []
    size = 0
    while len(first) + len(last) < len(lines) and size < _MOST_TEXT:
        line = lines[-1 - len(last)]
        size += len(line.text)
        last.append(line)
    return first + last[::-1]


def last_words(node: Node, plugin_ids: Collection[str]) -> Dict[str, str]:
    """Id -> what the server has logged last, since its start, of why a plugin does not run, as far as that is known."""
    reasons: Dict[str, str] = {}
    with contextlib.suppress(OperatorError, OSError):
        reasons = _errors_in_statuses(node.answering_server()) if node.api_only else _errors_in_log(node)
    return {plugin_id: text for plugin_id, text in reasons.items() if text and plugin_id in plugin_ids}


def _errors_in_statuses(server: Server) -> Dict[str, str]:
    reasons = ((item["plugin_id"].lower(), str(item.get("error") or "")) for item in server.statuses())
    return {plugin_id: LogLine(None, "error", text[:LONGEST_TEXT]).told() for plugin_id, text in reasons}


def _errors_in_log(node: Node) -> Dict[str, str]:
    reasons = {}
    for _place, line in read_server_log(node, node.section("LogSettings") or {}).lines:
        meaning = meaning_of(line) if line.level not in ("info", "warn") else None
        if meaning is not None:
            reasons[meaning.plugin_id] = line.told()
    return reasons


def _started_at(node: Node) -> Optional[float]:
    service = node.service
    if service.process is not None:
        return float(int(service.process.started_at))  # the text format knows seconds only
    if not systemd_is_running(node.root):
        return None
    code, out, _errors = node.run(["systemctl", "show", "-p", "ExecMainStartTimestampMonotonic", "--", service.name])
    digits = out.strip().rpartition("=")[2]
    if code != 0 or not digits.isdigit() or int(digits) == 0:
        return None
    ago = time.clock_gettime(time.CLOCK_MONOTONIC) - int(digits) / 1e6
    return float(int(time.time() - ago))


def _files(node: Node, settings: Mapping[str, Any], log: ServerLog) -> List[Tuple[str, List[LogLine]]]:
    if not is_true(settings.get("enablefile", True)):
        return []
    found = []
    for path in _paths(node, str(settings.get("filelocation") or "")):
        real = node.root.real(node.root.resolve(path))
        if not exists(real):
            continue
        lines: List[LogLine] = []
        try:
            if log.started_at is not None and status(real).st_mtime < log.started_at:
                continue  # nothing was written there since
            earlier = rotated_files(real, log.started_at) if log.started_at is not None else []
            for part in [*earlier, real]:
                read = read_log(part, path, log.started_at, INTERESTING, UNIMPORTANT)
                lines += read.lines
                log.unread += [f"{part}: {read.unread}"] if read.unread else []
        except OSError as error:
            log.unread.append(f"{path}: {error.strerror or error}")
            continue
        found.append((path, lines))
    return found


def _paths(node: Node, location: str) -> List[str]:
    """Where the file may be. A name without a slash in front is looked up around the directory the process runs in."""
    process, service = node.service.process, node.service
    bases = [process.cwd if process and process.cwd.startswith("/") else "", service.working_directory]
    bases += [node.wanted_working_directory, node.install_dir, posixpath.join(node.install_dir, "bin")]
    names = [posixpath.join(base, location or "logs") for base in bases if base.startswith("/")]
    paths = [posixpath.normpath(posixpath.join(name, FILE_NAME)) for name in names]
    by_target: Dict[str, str] = {}
    for path in paths:
        by_target.setdefault(node.root.resolve(path), path)
    return list(by_target.values())


def _journal(node: Node, log: ServerLog) -> List[LogLine]:
    command = ["journalctl", f"--unit={node.service_name}", "--no-pager", "--quiet", "--output=short-unix"]
    command.append(f"--lines={_JOURNAL_LINES}")
    if log.started_at is None:
        return _journal_lines(node, command, log)
    since = [f"--since=@{int(log.started_at)}"]
    lines = _journal_lines(node, command + since, log)
    if len(lines) >= _JOURNAL_LINES:  # the start-up may be before what was read
        until = [f"--until=@{int(log.started_at + _START_SECONDS)}"]
        lines = _journal_lines(node, command + since + until, log) + lines
    return [line for line in lines if line.time is None or line.time >= log.started_at]


def _journal_lines(node: Node, command: List[str], log: ServerLog) -> List[LogLine]:
    try:
        code, out, err = node.run(command)
    except (OSError, OperatorError) as error:
        code, out, err = 1, "", str(error)
    if code != 0:
        log.unread.append(f"journal: {(err or out).strip()[:200] or f'journalctl ended with {code}'}")
        return []
    return [parse_journal_line(line) for line in out.split("\n") if line]
