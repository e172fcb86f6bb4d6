# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a server runs a plugin: from its API, else from outside by the web part that browsers get and the process
of the server part.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence

from .._bundle.installed import find_plugins
from .._bundle.manifest import Manifest
from .._host.paths import resolve
from .._host.process import fields_behind_name
from .._host.reading import SYSTEM_FILE_LIMIT, names_in, open_file, read_file, read_link
from .._node.node import Node
from .._server.client import Server
from .._server.errors import PluginsDisabled, ServerError, ServerUnreachable
from .._settings.effective import read_plugin_settings
from .wanted import WantedPlugin

SERVER, WEB_PART, PROCESS = "the server's list of plugins", "its web part as browsers get it", "its process"
NOTHING = "nothing can be seen from outside: no web part, and no binary as server part"
_ELF = b"\x7fELF"
_PARENT = 1  # place of the parent's number in /proc/<pid>/stat behind the command name
_MISSING = " (deleted)"


@dataclass(frozen=True)
class Evidence:
    """Whether a plugin runs, and how that was seen.

    :param runs: None if nothing can be seen
    :param by: what was looked at
    :param found: what was found there, in words
    """

    runs: Optional[bool]
    by: str
    found: str = ""


def executables_of_children(pid: int, proc: str = "/proc") -> List[str]:
    """The programs that the direct children of a process run, without those whose file was replaced since."""
    found = []
    for name in names_in(proc):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):  # it ended meanwhile
            stat = read_file(os.path.join(proc, name, "stat"), SYSTEM_FILE_LIMIT)
            parent = int(fields_behind_name(stat)[_PARENT])
            if parent == pid:
                found.append(read_link(os.path.join(proc, name, "exe")))
    return sorted(path for path in found if not path.endswith(_MISSING))


def evidence_of(
    manifest: Manifest, version: str, real: str, webapps: Optional[Mapping[str, str]], programs: List[str]
) -> Evidence:
    """What shows whether the server runs this plugin in this version.

    :param manifest: of what is installed
    :param real: where this process finds the plugin's directory
    :param webapps: id -> version of what browsers are given; None if no server answers, or plugins are off
    :param programs: what :func:`executables_of_children` found of the server
    """
    if manifest.webapp_bundle:
        found = (webapps or {}).get(manifest.id)
        if found != version:
            return Evidence(False, WEB_PART, f"version {found}" if found else "none is given")
    if _has_binary(real, manifest):
        place = resolve(real) + os.sep
        runs = any(program.startswith(place) for program in programs)
        return Evidence(runs, PROCESS, "" if runs else f"no child of the server runs a program of {real}")
    return Evidence(True, WEB_PART) if manifest.webapp_bundle else Evidence(None, NOTHING)


def _has_binary(real: str, manifest: Manifest) -> bool:
    """Not a script: its process is that of its interpreter, and does not show what it runs."""
    for path in manifest.executables:
        with contextlib.suppress(OSError), open_file(os.path.join(real, path)) as source:
            if source.read(len(_ELF)) == _ELF:
                return True
    return False


def look(node: Node, wanted: Sequence[WantedPlugin]) -> Dict[str, Evidence]:
    """For each plugin that must run, whether it does; empty if no server runs that could be looked at."""
    ids = {
        plugin.id: None if plugin.from_server else plugin.version  # any version of what the server brings along
        for plugin in wanted
        if plugin.must_run
    }
    process = None if node.api_only else node.service.process
    if not ids or not (node.running if node.api_only else process and node.root.is_live):
        return {}
    if node.server is not None:
        active = _active(node.server)
        return {plugin_id: _in_list(active.get(plugin_id), version) for plugin_id, version in ids.items()}
    if process is None:  # an API alone, which no longer answers
        return {}
    directory = node.resolve(read_plugin_settings(node)["Directory"])
    webapps = _webapps(node)
    programs = executables_of_children(process.pid)
    return {
        manifest.id: evidence_of(
            manifest, ids[manifest.id] or manifest.version, node.root.real(path), webapps, programs
        )
        for path, manifest in find_plugins(directory, node.root).items()
        if manifest.id in ids
    }


def _in_list(found: Optional[str], version: Optional[str]) -> Evidence:
    """What the server's list of plugins shows.

    :param version: the wanted one; None: any
    """
    runs = found == version if version is not None else found is not None
    return Evidence(runs, SERVER, f"version {found}" if found else "inactive")


def _active(server: Server) -> Dict[str, str]:
    try:
        return server.running()
    except PluginsDisabled:
        return {}


def _webapps(node: Node) -> Optional[Dict[str, str]]:
    server = node.public_server()
    with contextlib.suppress(ServerError, ServerUnreachable):
        return server.webapps() if server is not None else None
    return None
