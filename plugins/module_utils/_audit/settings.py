# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit of the settings: what is off, where that is decided, what is not in effect, and limits of uploads."""

from __future__ import annotations

import posixpath
from typing import Any, List, Optional, Tuple

from .._config.document import FoldedMap, same_value
from .._config.plugin_settings import SECTION, effective, find_key
from .._config.source import FILE
from .._config.types import TYPES
from .._core.errors import OperatorError
from .._host.reading import exists, status
from .._server import features
from .._settings.settings import Settings
from .context import AuditContext
from .proxy_limit import proxy_limit

_DEFAULTS = {"Directory": ("plugins",), "ClientDirectory": ("client/plugins",)}
_DEFAULT_DATA = "data"
_MIB = 1024 * 1024


def look_at_configuration(context: AuditContext) -> None:
    """Whether the configuration can be read, and whether it is the one that lies in the install directory."""
    node = context.node
    source = node.config_source
    usual = context.join(node.install_dir, "config", "config.json")
    reads = source.path if source.kind == FILE else "a database"
    other = source.kind != FILE or node.root.resolve(source.path) != node.root.resolve(usual)
    if other and exists(context.real(usual)):
        text = f"the server reads {reads} ({source.evidence}), not {usual}"
        values = {"source": f"{reads} ({source.evidence})", "service": node.service_name}
        context.findings.add("config-file-ignored", usual, text, values=values)
    if source.kind != FILE:
        return
    reported = set()
    for section in TYPES:
        try:
            node.config.section(section)
        except OperatorError as error:
            if str(error) not in reported:  # what is wrong with the whole file is wrong with each section
                context.findings.add("config-unreadable", source.path, str(error), remedy=error.remedy)
            reported.add(str(error))


def look_at_switches(context: AuditContext) -> None:
    """Plugins and uploads that are switched off, and where that is decided."""
    settings = context.plugin_settings
    for key, code in (("Enable", "plugins-disabled"), ("EnableUploads", "uploads-disabled")):
        if settings[key] is not True:
            origin = _origin(context, key)
            context.findings.add(
                code, f"{SECTION}.{key}", f"{SECTION}.{key} is false, by {origin}", values={"origin": origin}
            )

    signed = settings.get("RequirePluginSignature") is True
    if signed and settings["EnableUploads"] is True and features.SIGNATURES.in_version(context.version):
        text = f"{SECTION}.RequirePluginSignature is true, by {_origin(context, 'RequirePluginSignature')}"
        values = {"origin": "RequirePluginSignature must be false for it"}
        context.findings.add("uploads-disabled", f"{SECTION}.RequirePluginSignature", text, values=values)


def look_at_overrides(context: AuditContext) -> None:
    """Variables of the environment that keep something else out of effect."""
    source = context.node.config_source
    overrides = source.overrides_for(context.version)
    if not overrides:
        return
    stored = effective(_stored(context), {}, context.version)
    for name, override in overrides.items():
        if same_value(stored.get(name), override.value):
            continue
        shown = "values not shown" if find_key(name) is None or name in ("Plugins", "PluginStates") else ""
        text = f"{override.variable} in {override.origin} stands in for {SECTION}.{name}"
        text += f" ({shown})" if shown else f": {override.value!r} instead of {stored.get(name)!r}"
        values = {"variable": override.variable, "origin": override.origin}
        context.findings.add("environment-override", f"{SECTION}.{name}", text, values=values)


def look_at_loading(context: AuditContext) -> None:
    """Edits of the file that the running server has not read."""
    if context.node.server is None or context.node.config_source.kind != FILE:
        return
    resource = Settings(context.node, {}, {}, {})
    found = resource.observe()
    pending = resource.pending(found)
    differences = [item for item in resource.compare(found) if item.name == "settings.loaded"]
    texts = [str(item.found) for item in differences] or pending.reload
    for text in texts:
        context.findings.add("config-not-loaded", context.node.config_source.path, text)


def look_at_paths(context: AuditContext) -> None:
    """Relative paths other than the server's own defaults, and paths that must not meet."""
    settings, files = context.plugin_settings, context.section("FileSettings")
    paths = [(f"{SECTION}.{key}", str(settings[key]), default) for key, default in _DEFAULTS.items()]
    if files.get("drivername", "local") == "local":
        paths.append(("FileSettings.Directory", str(files.get("directory") or _DEFAULT_DATA), (_DEFAULT_DATA,)))
    for key, path, default in paths:
        if not path.startswith("/") and posixpath.normpath(path) not in default:
            context.findings.add("relative-directory", key, f"{key} is {path}, from {context.node.resolve('.')}")
    ends = [context.node.root.resolve(context.node.resolve(str(settings[key]))) for key in _DEFAULTS]
    if ends[0] == ends[1]:
        context.findings.add("directories-identical", ends[0], f"Directory and ClientDirectory both lead to {ends[0]}")
    _look_at_import_directory(context)


def look_at_limits(context: AuditContext) -> None:
    """Whether the wanted bundles, or those in the file store, may be uploaded."""
    name, size = _largest_bundle(context)
    if size == 0:
        return
    version = context.version
    if features.UPLOAD_LIMIT.in_version(version):
        default = 100 if features.UPLOAD_LIMIT_OF_100_MIB.in_version(version) else 50
        limit = _number(context.section("FileSettings").get("maxfilesize"), default * _MIB)
        if size > limit:
            text = f"FileSettings.MaxFileSize is {limit}, {name} has {size} bytes"
            values = {"limit": "FileSettings.MaxFileSize", "size": str(size)}
            context.findings.add("upload-limit", "FileSettings.MaxFileSize", text, values=values)
    found = proxy_limit(context.node.root)
    if found is not None and 0 < found.size < size:
        text = f"client_max_body_size is {found.size} in {found.where}, {name} has {size} bytes"
        values = {"limit": f"client_max_body_size in {found.where}", "size": str(size)}
        context.findings.add("upload-limit", found.where, text, values=values)


def _origin(context: AuditContext, key: str) -> str:
    source = context.node.config_source
    override = source.overrides_for(context.version).get(key)
    if override is not None:
        return f"the environment ({override.variable} in {override.origin})"
    return f"the file {source.path}" if source.kind == FILE else f"the database ({source.evidence})"


def _stored(context: AuditContext) -> FoldedMap:
    node = context.node
    if node.config_source.kind == FILE:
        return node.config.section(SECTION)
    return FoldedMap({}, "the database")


def _look_at_import_directory(context: AuditContext) -> None:
    imports = context.section("ImportSettings").get("directory")
    store = context.filestore
    if not imports or store is None:
        return
    node = context.node
    place = node.root.resolve(node.resolve(str(imports)))
    for key in ("Directory", "ClientDirectory"):
        plugins = node.root.resolve(node.resolve(str(context.plugin_settings[key])))
        if _holds(place, plugins) or _holds(plugins, place):
            text = f"ImportSettings.Directory leads to {place}, {SECTION}.{key} to {plugins}"
            context.findings.add("import-directory-conflict", plugins, text)


def _holds(outer: str, inner: str) -> bool:
    return outer == inner or inner.startswith(outer.rstrip("/") + "/")


def _largest_bundle(context: AuditContext) -> Tuple[str, int]:
    sizes: List[Tuple[int, str]] = [(plugin.size, f"the bundle of {plugin.id}") for plugin in context.wanted]
    if context.filestore:
        folder = context.join(context.filestore, "plugins")
        for name in context.names_in(folder):
            if name.endswith(".tar.gz"):
                sizes.append((_size(context.real(context.join(folder, name))) or 0, context.join(folder, name)))
    size, name = max(sizes, default=(0, ""))
    return name, size


def _size(real: str) -> Optional[int]:
    try:
        return status(real).st_size
    except OSError:
        return None


def _number(value: Any, default: int) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return default
