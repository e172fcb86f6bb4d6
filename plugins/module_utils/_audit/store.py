# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit of where plugins come from at the next start: the server's file store, prepackaged bundles, signatures."""

from __future__ import annotations

import contextlib
import os
import posixpath
import shlex
from typing import Dict, List, Sequence, Set

from .._bundle.manifest_in_bundle import manifest_of
from .._bundle.tree import MARKER
from .._config.plugin_settings import STATES, enabled_ids
from .._core.server_version import ServerVersion
from .._directories.plan import octal
from .._host.access import mode_grants
from .._host.accounts import owner_name
from .._host.path_walk import Step
from .._host.reading import is_file, status
from .._plugins.prepackaged_preconditions import overtaking
from .._plugins.wanted import WantedPlugin
from .._server import features
from .._startup.signatures import stored_unsigned
from .context import AuditContext
from .plugins import Unpacked

_SUFFIX = ".tar.gz"


def look_at_store(context: AuditContext, plugins: List[Unpacked]) -> None:
    """What the server will do with each unpacked plugin when it starts next."""
    version, store = context.version, context.filestore
    if version is None or not features.FILESTORE.in_version(version):
        return
    if store is None:
        return  # another driver: only the server knows what the store holds
    folder = context.join(store, "plugins")
    stored = {name[: -len(_SUFFIX)].lower(): name for name in context.names_in(folder) if name.endswith(_SUFFIX)}
    for plugin in plugins:
        if plugin.id in stored:
            _look_at_stored(context, plugin, context.join(folder, stored[plugin.id]), version)
        elif plugin.id not in context.prepackaged:
            _look_at_unstored(context, plugin, version)
    _look_at_reading(context, [context.join(folder, name) for name in stored.values()])
    _look_at_signatures(context, folder, stored, version)


def look_at_prepackaged(context: AuditContext) -> None:
    """Prepackaged bundles of enabled plugins that the server will refuse."""
    version = context.version
    if version is None or not features.PREPACKAGED_ONLY_SIGNED.in_version(version):
        return
    states = enabled_ids(context.plugin_settings[STATES])
    for plugin_id, bundles in context.prepackaged.items():
        for bundle in bundles:
            if bundle.signature is None and states.get(plugin_id):
                text = f"{bundle.path} has no {bundle.name}.sig beside it, and {plugin_id} is enabled"
                context.findings.add("prepackaged-unsigned", plugin_id, text, values={"bundle": bundle.path})


def look_at_overtaking(context: AuditContext, plugins: List[Unpacked]) -> None:
    """Prepackaged bundles that the server will install at its next start over another version: the wanted one, else the
    one that it has from elsewhere."""
    rules = context.prepackaged_rules
    if rules is None or not context.prepackaged:
        return
    wanted = [plugin for plugin in context.wanted if plugin.present and plugin.sha256]
    states, listed = enabled_ids(context.plugin_settings[STATES]), {plugin.id for plugin in context.wanted}
    there = [
        WantedPlugin(plugin.id, enabled=states.get(plugin.id, False), version=plugin.manifest.version)
        for plugin in plugins
        if plugin.id not in listed and not _came_along(context, plugin)
    ]
    for plugin in [*wanted, *there]:
        bundle = overtaking(plugin, context.prepackaged.get(plugin.id, []), rules)
        if bundle is not None:
            what = "wanted" if plugin.id in listed else "installed"
            text = f"{bundle.path} holds version {bundle.version or '(none)'}, {what} is {plugin.version or '(none)'}"
            context.findings.add("prepackaged-wins", plugin.id, text, values={"bundle": bundle.path})


def _came_along(context: AuditContext, plugin: Unpacked) -> bool:
    """Whether the server has it from a prepackaged bundle; what it has from there follows that at each start."""
    return plugin.manifest.version in {bundle.version for bundle in context.prepackaged.get(plugin.id, [])} or (
        plugin.marked and plugin.id not in stored_ids(context)
    )


def look_at_keys(context: AuditContext) -> None:
    """The public keys that signatures are checked with."""
    settings, source = context.plugin_settings, context.node.config_source
    if source.kind != "file" or not features.SIGNATURES.in_version(context.version):
        return
    for name in settings.get("SignaturePublicKeyFiles") or []:
        path = context.join(posixpath.dirname(source.path), str(name))
        if name and not is_file(context.real(path)):
            context.findings.add("signature-key-missing", path, f"{path} (SignaturePublicKeyFiles) does not exist")


def _look_at_stored(context: AuditContext, plugin: Unpacked, path: str, version: ServerVersion) -> None:
    found = manifest_of(context.real(path))
    stored = found.version if found else ""
    other = stored != plugin.manifest.version
    unmarked = features.MANAGED_MARKER.in_version(version) and not plugin.marked
    came_along = stored != plugin.manifest.version and _came_along(context, plugin)
    if found is not None and (other or unmarked) and not came_along:
        text = f"{path} holds version {stored or '(none)'}, {plugin.path} holds {plugin.manifest.version or '(none)'}"
        text += "" if plugin.marked or not unmarked else " and was unpacked by hand"
        context.findings.add("store-copy-wins", plugin.id, text, values={"bundle": path})


def _look_at_unstored(context: AuditContext, plugin: Unpacked, version: ServerVersion) -> None:
    if features.UNPACKED_DELETED.in_version(version):
        text = f"{plugin.path} has no bundle in the file store, the server is {version}"
        context.findings.add("unpacked-will-be-deleted", plugin.id, text)
    elif plugin.marked:
        marker = context.join(plugin.path, MARKER)
        text = f"{marker} exists, and the file store has no bundle of {plugin.id}"
        context.findings.add("marker-on-copy", plugin.id, text, values={"marker": marker})
    elif features.UNPACKED_UNSUPPORTED.in_version(version):
        context.findings.add("unpacked-unsupported", plugin.id, f"{plugin.path}, the server is {version}")
    else:
        context.findings.add("unmanaged-plugin", plugin.id, f"{plugin.path} has no {MARKER}")


def _look_at_reading(context: AuditContext, bundles: Sequence[str]) -> None:
    account = context.node.account
    for path in bundles:
        with contextlib.suppress(OSError):
            found = status(context.real(path))
            step = Step(path, found.st_uid, found.st_gid, found.st_mode & 0o7777, found.st_dev, found.st_ino)
            if not mode_grants(step, account, os.R_OK):
                owner = owner_name(step.uid, step.gid, context.node.root)
                text = f"{path}: {account.name} may not read it (owner {owner}, mode {octal(step.mode)})"
                command = f"chown {shlex.quote(account.owner)} {shlex.quote(path)}"
                remedy = f"Give it to {account.name} ({command}), then restart the service."
                context.findings.add("filestore-sync-failed", path, text, remedy=remedy)


def _look_at_signatures(context: AuditContext, folder: str, stored: Dict[str, str], version: ServerVersion) -> None:
    required = context.plugin_settings.get("RequirePluginSignature") is True
    if not required or not features.SIGNATURES.in_version(version):
        return
    for plugin_id in stored_unsigned(context.node):
        path = context.join(folder, stored[plugin_id])
        text = f"{path} has no signature beside it that the server can verify, and RequirePluginSignature is on"
        context.findings.add("signature-missing", plugin_id, text, values={"bundle": path})


def stored_ids(context: AuditContext) -> Set[str]:
    """Ids of the bundles in the server's local file store."""
    names = context.names_in(context.join(context.filestore, "plugins")) if context.filestore else []
    return {name[: -len(_SUFFIX)].lower() for name in names if name.endswith(_SUFFIX)}
