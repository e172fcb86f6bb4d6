# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preconditions of plugins: refused before anything changes is what a server could not run, or would undo."""

from __future__ import annotations

import base64
import posixpath
from typing import TYPE_CHECKING, Optional

from .._core.errors import OperatorError
from .._core.server_version import ServerVersion, parse_server_version
from .._formats.openpgp import unverifiable_by_servers
from .._server import features
from .wanted import WantedPlugin

if TYPE_CHECKING:
    from .observed import PluginsFound

_EMBEDDED = ("jira", "zoom")  # in the binary of servers with features.EMBEDDED_PLUGINS


def refuse_doubtful_place(plugin: WantedPlugin, found: PluginsFound) -> None:
    """Two directories with one id, or one whose name is not the id."""
    place = posixpath.join(found.places.directory, plugin.id)
    directory = found.directory
    if plugin.id in directory.duplicates:
        raise OperatorError(
            f"two directories hold the plugin {plugin.id}, the server starts neither reliably",
            found=", ".join(directory.duplicates[plugin.id]),
            remedy=f"move all but {place} out of the plugin directory",
        )
    installed = directory.plugins.get(plugin.id)
    if plugin.present and installed is not None and installed.path != place:
        raise OperatorError(
            f"the plugin {plugin.id} lies in a directory of another name, the server cannot show its web part",
            found=installed.path,
            wanted=place,
            remedy=f"rename {installed.path}, or move it out of the plugin directory",
        )


def refuse_embedded(plugin: WantedPlugin, version: Optional[ServerVersion]) -> None:
    """One that is a part of the server's binary: it takes no other in its place, however it gets there."""
    if features.EMBEDDED_PLUGINS.in_version(version) and plugin.id in _EMBEDDED:
        raise OperatorError(
            f"this server brings the plugin {plugin.id} itself and unpacks it over any other at every start",
            found=f"server version {version}",
            wanted=f"at least {features.EMBEDDED_PLUGINS.until}",
            remedy=f"leave {plugin.id} out of the list, or update the server",
        )


def refuse_older_server(plugin: WantedPlugin, version: Optional[ServerVersion]) -> None:
    """A server that will not start the plugin, according to its manifest."""
    if version is None or not features.MIN_SERVER_VERSION.in_version(version) or not plugin.min_server_version:
        return
    if version < parse_server_version(plugin.min_server_version):
        raise OperatorError(
            f"the plugin {plugin.id} {plugin.version} does not run on this server",
            found=f"server version {version}",
            wanted=f"at least {plugin.min_server_version} (min_server_version in its manifest)",
            remedy="take an older plugin or a newer server",
        )


def refuse_unverifiable_signature(plugin: WantedPlugin, where: str) -> None:
    """One that a server which insists on signatures cannot verify: the plugin would vanish at its next start."""
    kind = unverifiable_by_servers(base64.b64decode(plugin.signature))
    if kind:
        raise OperatorError(
            f"the server cannot verify the signature of {plugin.id} {plugin.version}, and takes no plugin without",
            where=where,
            found=f"a signature by an {kind} key, RequirePluginSignature on",
            wanted="a signature by an RSA, DSA or ECDSA (NIST) key",
            remedy="let the publisher sign with such a key (gpg --quick-generate-key NAME rsa3072 sign), and name its "
            "public key in SignaturePublicKeyFiles",
        )


def refuse_unpacking(plugin: WantedPlugin, found: PluginsFound) -> None:
    """What is unpacked would be replaced at the next start by what the server itself keeps."""
    version = found.situation.version
    if version is None:
        return
    installed = found.directory.plugins.get(plugin.id)
    marked = installed is not None and installed.managed
    if features.FILESTORE.in_version(version) and (marked or plugin.id in found.filestore):
        raise OperatorError(
            f"the server manages the plugin {plugin.id} itself: at its next start its own copy would win over what is "
            "unpacked",
            found="a .filestore marker" if marked else "a bundle in the filestore",
            remedy="use strategy: auto, or upload (the server must run) or filestore",
        )


def refuse_unexecutable(plugin: WantedPlugin) -> None:
    """A server that unpacks a bundle itself gives nothing the exec bit."""
    if plugin.unexecutable:
        raise OperatorError(
            f"the bundle of {plugin.id} holds server binaries without exec bit, and no server grants it",
            found=", ".join(plugin.unexecutable),
            remedy="pack the bundle again with mode 0755 for them",
        )
