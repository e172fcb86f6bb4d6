# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit of what lies in the plugin directory, looked at as the server will look at it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Dict, List, Optional, Set

from .._bundle.installed import read_manifest
from .._bundle.manifest import Manifest
from .._bundle.tree import MARKER
from .._config.plugin_settings import STATES, enabled_ids
from .._core.errors import OperatorError
from .._core.server_version import parse_server_version
from .._host.executable import fits, read_header, this_processor
from .._host.reading import exists, is_directory, is_file, is_link, read_link, status
from .._server import features
from .._server.errors import ServerError, ServerUnreachable
from .._server.seeded_plugins import is_seeded
from .context import AuditContext

_BACKUP = re.compile(
    r"(?:[.~_-](?:bak|backup|old|orig|save|copy|disabled|\d{4}-?\d\d-?\d\d)\d*|~|\.(?:tar(?:\.gz)?|tgz|zip))$", re.I
)


@dataclass(frozen=True)
class Unpacked:
    """One directory that the server takes for a plugin.

    :param path: host path
    """

    path: str
    real: str
    manifest: Manifest
    marked: bool

    @property
    def id(self) -> str:
        return self.manifest.id


def unpacked_plugins(context: AuditContext) -> List[Unpacked]:
    """What the server will find; what it skips becomes a finding."""
    directory = context.node.resolve(str(context.plugin_settings["Directory"]))
    found: List[Unpacked] = []
    for name in context.names_in(directory):
        path, real = context.join(directory, name), os.path.join(context.real(directory), name)
        if name.startswith("."):
            continue
        if is_link(real):
            if _may_lead_to_a_directory(context, path):
                context.findings.add("linked-plugin", path, f"{path} is a link to {read_link(real)}")
        elif not is_directory(real):
            if _BACKUP.search(name):
                context.findings.add("backup-copy", path, f"{path} is a file")
        else:
            try:
                manifest = read_manifest(real, path)
            except OperatorError as error:
                code = "backup-copy" if _BACKUP.search(name) else "manifest-unreadable"
                context.findings.add(code, path, f"{path}: {error}")
                continue
            found.append(Unpacked(path, real, manifest, exists(os.path.join(real, MARKER))))
    return found


def _may_lead_to_a_directory(context: AuditContext, link: str) -> bool:
    """Whether a link leads to a directory; one that is not followed might, and the server skips it like any other."""
    try:
        return is_directory(context.real(link))
    except OperatorError:
        return True


def look_at_plugins(context: AuditContext, plugins: List[Unpacked]) -> None:
    """Names, versions and programs of the unpacked plugins."""
    by_id: Dict[str, List[Unpacked]] = {}
    for plugin in plugins:
        by_id.setdefault(plugin.id, []).append(plugin)
    for plugin_id, same in by_id.items():
        _look_at_names(context, plugin_id, same)
    for plugin in plugins:
        named = [other for other in by_id[plugin.id] if os.path.basename(other.path) == plugin.id]
        if named and plugin not in named:
            continue  # a copy: what is wrong with it does not matter
        _look_at_version(context, plugin)
        _look_at_executable(context, plugin)
        web = plugin.manifest.webapp_bundle
        if web and not is_file(os.path.join(plugin.real, web)):
            text = (
                f"{context.join(plugin.path, web)} (webapp.bundle_path in {plugin.manifest.file_name}) does not exist"
            )
            context.findings.add("webapp-missing", plugin.id, text)


def look_at_states(context: AuditContext, plugins: List[Unpacked]) -> None:
    """Enabled and missing, enabled and not running. Runs last: what explains it is known by then."""
    installed = {plugin.id for plugin in plugins}
    enabled = {plugin_id for plugin_id, on in enabled_ids(context.plugin_settings[STATES]).items() if on}
    wanted = {plugin.id for plugin in context.wanted if plugin.present}
    rules = context.prepackaged_rules
    coming = set(context.prepackaged) if rules is not None and rules.takes(True) else set()
    missing = enabled - installed - wanted - coming
    for plugin_id in sorted(plugin_id for plugin_id in missing if not is_seeded(plugin_id)):
        text = f"PluginStates has {plugin_id} enabled, and no directory holds it"
        context.findings.add("plugin-missing", plugin_id, text)
    active = _active(context)
    if active is None:
        return
    for plugin_id in sorted((enabled & installed) - active):
        if not context.findings.about(plugin_id) and not context.findings.has(_EXPLAINS_ALL):
            context.findings.add("plugin-not-running", plugin_id, f"the server lists {plugin_id} as inactive")


_EXPLAINS_ALL = (
    "foreign-owner",
    "directory-not-writable",
    "directory-missing",
    "content-closed",
    "mount-read-only",
    "mount-noexec",
    "sandbox-read-only",
    "sandbox-noexec",
    "sandbox-hidden",
    "disk-full",
    "inodes-full",
    "tmpdir-not-writable",
    "immutable",
    "parent-not-searchable",
    "plugins-disabled",
    "plugin-system-off",
    "process-elsewhere",
    "working-directory-wrong",
    "restart-owed",
)


def _active(context: AuditContext) -> Optional[Set[str]]:
    server = context.node.server
    if server is None:
        return None
    try:
        return set(server.running())
    except (ServerError, ServerUnreachable):
        return None


def _look_at_names(context: AuditContext, plugin_id: str, same: List[Unpacked]) -> None:
    if len(same) > 1:
        keep = next((plugin for plugin in same if os.path.basename(plugin.path) == plugin_id), same[0])
        extra = [plugin.path for plugin in same if plugin is not keep]
        text = f"{', '.join(plugin.path for plugin in same)} all hold {plugin_id}"
        context.findings.add(
            "duplicate-plugin", plugin_id, text, values={"keep": keep.path, "extra": extra[0], "path": extra[0]}
        )
        return
    path = same[0].path
    if os.path.basename(path) != plugin_id:
        wanted = context.join(os.path.dirname(path), plugin_id)
        text = f"{path} holds {plugin_id}"
        context.findings.add("misnamed-directory", plugin_id, text, values={"path": path, "wanted": wanted})


def _look_at_version(context: AuditContext, plugin: Unpacked) -> None:
    needed, version = plugin.manifest.min_server_version, context.version
    if not needed or version is None or not features.MIN_SERVER_VERSION.in_version(version):
        return
    try:
        too_old = version < parse_server_version(needed)
    except OperatorError:
        text = f"min_server_version {needed!r} in {plugin.path} is no version, the server will not start it"
        context.findings.add("min-server-version", plugin.id, text)
        return
    if too_old:
        text = f"{plugin.path} {plugin.manifest.version} needs Mattermost {needed}, the server is {version}"
        context.findings.add("min-server-version", plugin.id, text)


def _look_at_executable(context: AuditContext, plugin: Unpacked) -> None:
    processor = this_processor()
    if not plugin.manifest.platforms or not processor:
        return
    platform = f"linux-{processor}"
    name = plugin.manifest.executable_for(platform)
    if not name:
        known = ", ".join(key for key, _name in plugin.manifest.platforms)
        text = f"{plugin.manifest.file_name} of {plugin.path} names a server part for {known}, not for {platform}"
        context.findings.add("executable-for-platform-missing", plugin.id, text, values={"platform": platform})
        return
    path, real = context.join(plugin.path, name), os.path.join(plugin.real, name)
    values = {"executable": path, "platform": platform}
    if not is_file(real):
        text = f"{path}, named in {plugin.manifest.file_name}, does not exist"
        context.findings.add("executable-missing", plugin.id, text, values=values)
        return
    mode = status(real).st_mode
    if not mode & 0o100:
        context.findings.add(
            "executable-not-executable", plugin.id, f"{path} has mode {mode & 0o7777:04o}", values=values
        )
    _look_at_header(context, plugin, path, real, platform)


def _look_at_header(context: AuditContext, plugin: Unpacked, path: str, real: str, platform: str) -> None:
    header, processor = read_header(real), platform.partition("-")[2]
    made_for = "-".join(part for part in (header.system, header.processor) if part) or "nothing known"
    if not fits(header, processor):
        text = f"{path} is made for {made_for}, this machine is {platform}"
        context.findings.add("wrong-architecture", plugin.id, text, values={"executable": path, "platform": platform})
    elif header.loader and context.node.root.is_live and not exists(header.loader):
        text = f"{path} needs {header.loader}, which does not exist"
        context.findings.add("loader-missing", plugin.id, text, values={"loader": header.loader})
