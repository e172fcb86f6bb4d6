# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit of one node: every detector, then the log, so that a cause and its lines are one finding."""

from __future__ import annotations

import contextlib
import functools
import posixpath
import traceback
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from .._core.errors import INPUT_ERRORS, OperatorError, text_of
from .._log.line import LogLine
from .._log.patterns import Meaning, deleted_plugin, meaning_of
from .._log.server_log import ServerLog, read_server_log
from .._node.node import Node
from .._plugins.wanted import WantedPlugin
from .codes import CODES, DIRECTORIES, ERROR, SERVICE
from .context import AuditContext
from .directories import look_at_directories, look_at_filestore, look_at_space, temporary_directory
from .findings import MOST_OF_A_CODE, evidence_of
from .plugins import Unpacked, look_at_plugins, look_at_states, unpacked_plugins
from .service import (
    look_at_account,
    look_at_leftovers,
    look_at_pending,
    look_at_process_user,
    look_at_socket,
    look_at_temporary_directory,
    look_at_unit,
    look_at_working_directory,
)
from .settings import (
    look_at_configuration,
    look_at_limits,
    look_at_loading,
    look_at_overrides,
    look_at_paths,
    look_at_switches,
)
from .store import look_at_keys, look_at_overtaking, look_at_prepackaged, look_at_store

_DETECTORS: Tuple[Callable[[AuditContext], None], ...] = (
    look_at_unit,
    look_at_account,
    look_at_configuration,
    look_at_working_directory,
    look_at_process_user,
    look_at_paths,
    look_at_directories,
    look_at_filestore,
    look_at_space,
    look_at_temporary_directory,
    look_at_socket,
    look_at_leftovers,
    look_at_pending,
    look_at_switches,
    look_at_overrides,
    look_at_loading,
    look_at_limits,
    look_at_prepackaged,
    look_at_keys,
)
# What an error of a part of the report is about: where a finding of that kind is known, the error adds nothing.
_AREAS = {"server": "settings"}
_EXPLAINED_BY = {"directories": ("service",), "plugins": ("store",)}


class Audit:
    """Runs every detector on one node.

    :param wanted: the plugins that must be there
    """

    def __init__(self, node: Node, wanted: Sequence[WantedPlugin]) -> None:
        self._node = node
        self._context = AuditContext(node, wanted)
        self._errors: Set[str] = set()  # what detectors could not look at

    def findings(self, report: Mapping[str, Any]) -> List[Dict[str, Any]]:
        """What is wrong, the worst first.

        :param report: the report of the node so far
        """
        log = ServerLog()
        self._guarded("log", lambda: self._read_log(log))
        for detector in _DETECTORS:
            self._guarded(_part(detector), functools.partial(detector, self._context))
        plugins: List[Unpacked] = []
        self._guarded("plugins", lambda: plugins.extend(unpacked_plugins(self._context)))
        self._guarded("plugins", lambda: look_at_plugins(self._context, plugins))
        self._guarded("store", lambda: look_at_store(self._context, plugins))
        self._guarded("overtaking", lambda: look_at_overtaking(self._context, plugins))
        self._guarded("log", lambda: self._explain(log, {plugin.id for plugin in plugins}))
        self._plugin_system(report)
        self._guarded("states", lambda: look_at_states(self._context, plugins))
        self._add_errors(report)
        return self._context.findings.as_list()

    def _read_log(self, log: ServerLog) -> None:
        found = read_server_log(self._node, self._context.section("LogSettings"))
        log.lines, log.unread = found.lines, found.unread
        self._context.logged_version = found.version
        for text in log.unread:
            self._context.findings.add("not-audited", "log", text)

    def _guarded(self, part: str, look: Callable[[], None]) -> None:
        """Run a detector; what it cannot look at does not stop the others, and is reported once.

        :param part: of the app server, as a finding names it that could not be looked at
        """
        try:
            look()
        except (OperatorError, OSError) as error:
            self._errors.add(text_of(error))
        except INPUT_ERRORS as error:
            text = f"{part}: something there has a form that nothing reads: {text_of(error)}"
            self._context.findings.add("not-audited", part, text)
        except Exception as error:
            text = f"{part}: a fault of plugops.mattermost, please report it: {text_of(error)} at {_place_of(error)}"
            self._context.findings.add("not-audited", part, text)

    def _explain(self, log: ServerLog, installed: Set[str]) -> None:
        groups: Dict[Meaning, List[Tuple[str, LogLine]]] = {}
        for place, line in log.lines:
            deleted = deleted_plugin(line)
            if deleted and deleted not in installed:
                meaning: Optional[Meaning] = Meaning("plugin-deleted-at-start", plugin_id=deleted)
            else:
                meaning = None if deleted else meaning_of(line)
            if meaning is not None:
                groups.setdefault(meaning, []).append((place, line))
        explained: Dict[str, int] = {}
        for meaning, lines in sorted(groups.items(), key=lambda item: CODES[item[0].code].severity != ERROR):
            place, line = lines[-1]
            explained[meaning.code] = explained.get(meaning.code, 0) + 1
            if explained[meaning.code] > 2 * MOST_OF_A_CODE:
                self._context.findings.leave_out(meaning.code, meaning.causes, meaning.plugin_id or meaning.path)
                continue
            count = len({line.text + str(line.time) for _place, line in lines})
            text = line.shown(place) + (f" ({count} times since the last start)" if count > 1 else "")
            self._context.findings.explain(meaning.code, meaning.causes, self._subjects(meaning), text)

    def _subjects(self, meaning: Meaning) -> List[str]:
        """What the line is about. A line that names only a plugin may be about any of the places that it needs."""
        ids = [meaning.plugin_id] if meaning.plugin_id else []
        if not meaning.path:
            return ids + self._places_of(meaning.plugin_id) if ids else []
        about_places = CODES[meaning.code].area in (DIRECTORIES, SERVICE)
        return [self._path(meaning), *ids] if about_places else [*ids, self._path(meaning)]

    def _path(self, meaning: Meaning) -> str:
        """The path that the line names; a relative one starts at the directory that the server really runs in."""
        service = self._node.service
        base = service.process.cwd if service.process else service.working_directory
        base = base if base.startswith("/") else self._node.wanted_working_directory
        return self._context.join(base, meaning.path.strip("\"'"))

    def _places_of(self, plugin_id: str) -> List[str]:
        context = self._context
        places = [temporary_directory(context)]
        with contextlib.suppress(OperatorError):
            settings = context.plugin_settings
            places += [self._node.resolve(settings[key]) + f"/{plugin_id}" for key in ("Directory", "ClientDirectory")]
            places += [f"{context.filestore}/plugins/{plugin_id}.tar.gz"] if context.filestore else []
        return places

    def _plugin_system(self, report: Mapping[str, Any]) -> None:
        if report.get("plugin_system") != "off" or self._context.findings.errors():
            return
        if self._context.findings.has(["restart-owed"]):
            return
        text = "the server answers 501: plugins are enabled, and its plugin system is off"
        self._context.findings.add("plugin-system-off", "", text, values={"service": self._node.service_name})

    def _add_errors(self, report: Mapping[str, Any]) -> None:
        """Add what prevents site.yml from working and no finding explains."""
        areas = {CODES[finding.code].area for finding in self._context.findings.errors()}
        for error in report.get("errors") or []:
            self._errors.discard(error["msg"])
            area = _AREAS.get(error["concern"], error["concern"])
            known = areas & {area, *_EXPLAINED_BY.get(area, ())}
            if not known and not self._is_evidence(error["msg"]):
                self._context.findings.add("not-ensurable", error["concern"], error["msg"])
        for text in sorted(self._errors):
            if not self._is_evidence(text):
                self._context.findings.add("not-audited", "", text)

    def _is_evidence(self, text: str) -> bool:
        text = evidence_of(text)
        return any(text in known for finding in self._context.findings.errors() for known in finding.evidence)


def _part(detector: Callable[[AuditContext], None]) -> str:
    return detector.__name__.replace("look_at_", "").replace("_", " ")


def _place_of(error: Exception) -> str:
    """Where a fault is, as its report needs it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{posixpath.basename(frame.filename)}:{frame.lineno}"
