# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel of a setting: config.json, the local-mode socket or the REST API; and what a server accepts on each."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

from .._config.document import FoldedMap
from .._config.plugin_settings import Change, find_key
from .._config.source import DATABASE, FILE, REMOTE, ConfigSource
from .._core.errors import OperatorError
from .._core.server_version import ServerVersion
from .._server import features
from .._server.client import API_ACCESS, SOCKET, Server

AUTO = "auto"
API = API_ACCESS
CHANNELS = (AUTO, FILE, SOCKET, API)  # choices of the option `via`
NAMES = {SOCKET: "the local-mode socket", API: "the REST API"}

# What a REST API under RestrictSystemAdmin (5.10 on) silently keeps; EnableUploads it keeps in any case.
_KEPT = ("Directory", "ClientDirectory", "EnableHealthCheck", "AllowInsecureDownloadURL", "MarketplaceURL")
_MORE_KEPT = (
    "Enable",
    "EnableMarketplace",
    "EnableRemoteMarketplace",
    "AutomaticPrepackagedPlugins",
    "RequirePluginSignature",
    "SignaturePublicKeyFiles",
    "ChimeraOAuthProxyURL",
)
_REMEDIES = {
    SOCKET: "start it with ServiceSettings.EnableLocalMode true (5.24 and later), or use via: file",
    API: "set api_url and an account, start the server, or use via: file",
}


def choose_channel(
    requested: str,
    source: ConfigSource,
    version: Optional[ServerVersion],
    server: Optional[Server],
    config: Optional[Dict[str, Any]],
) -> str:
    """``file``, ``socket`` or ``api``.

    :param requested: one of :data:`CHANNELS`
    :param server: the running one, on the requested channel; None where none answers
    :param config: that it works with
    :raises OperatorError: the requested channel is not available
    """
    if source.kind == REMOTE and requested not in (AUTO, API):
        raise OperatorError(
            f"via: {requested} is not available: this app server is managed through its REST API only",
            found="api_only: true",
            wanted="via: auto or api",
            remedy="correct via, or remove api_only and run on the app server itself",
        )
    if source.kind == REMOTE:
        requested = API
    if requested == FILE or (requested == AUTO and server is None):
        if source.kind == DATABASE:
            raise OperatorError(
                "the server keeps its configuration in a database, it does not read config.json",
                where=source.evidence,
                found="no server answers on the local-mode socket" if server is None else "via: file",
                remedy="enable local mode (MM_SERVICESETTINGS_ENABLELOCALMODE=true), start the server and use "
                "via: socket or auto; or set api_url and an account",
            )
        return FILE
    if server is None:
        raise OperatorError(
            f"via: {requested} needs a running server that answers on {NAMES[requested]}",
            found="no answer",
            remedy=_REMEDIES[requested],
        )
    if requested == AUTO and source.kind == FILE:
        too_old = not features.UPLOADS_SWITCH_BY_SOCKET.in_version(version)
        by_file = server.kind == API or too_old or is_read_only_cluster(config or {})
        return FILE if by_file else SOCKET
    return server.kind


def refuse_locked_uploads_switch(channel: str, version: ServerVersion, needed: Sequence[Change]) -> None:
    """Refuse to change EnableUploads on a channel where the server ignores or rejects that.

    :raises OperatorError: the server would not change it; nothing has changed
    """
    if not any(change.key == "EnableUploads" for change in needed):
        return
    by_socket = features.UPLOADS_SWITCH_BY_SOCKET.in_version(version)
    if channel == API and features.UPLOADS_SWITCH_LOCKED_IN_REST_API.in_version(version):
        raise OperatorError(
            "EnableUploads cannot be changed over the REST API of this server",
            found=f"server version {version}, via: api",
            remedy=f"use via: file{' or via: socket' if by_socket else ''}, or set "
            "MM_PLUGINSETTINGS_ENABLEUPLOADS in the service's environment",
        )
    if channel == SOCKET and not by_socket:
        raise OperatorError(
            "EnableUploads cannot be changed through the socket of this server, which would silently ignore the change",
            found=f"server version {version}",
            wanted=f"at least {features.UPLOADS_SWITCH_BY_SOCKET.since}",
            remedy="use via: file",
        )


def refuse_restricted_keys(channel: str, version: ServerVersion, restricted: bool, needed: Sequence[Change]) -> None:
    """Refuse to change through a restricted REST API what it would silently keep.

    :param restricted: as :func:`is_restricted`
    :raises OperatorError: the server would keep a value; nothing has changed
    """
    kept = {*_KEPT, *(_MORE_KEPT if features.MORE_KEYS_RESTRICTED.in_version(version) else ())}
    keys = [find_key(change.key) for change in needed]
    names = sorted({key.name for key in keys if key is not None} & kept)
    if restricted and channel == API and names:
        raise OperatorError(
            f"the server would accept the change and keep the old value: {', '.join(names)}",
            found="ExperimentalSettings.RestrictSystemAdmin true, via: api",
            remedy="use via: file or via: socket, which it does not restrict",
        )


def is_read_only_cluster(config: Dict[str, Any]) -> bool:
    """Whether the server refuses to save its configuration, where that is in a file."""
    cluster = FoldedMap(config, "the server's configuration").below("ClusterSettings")
    return cluster.get("Enable") is True and cluster.get("ReadOnlyConfig") is not False


def is_restricted(config: Dict[str, Any]) -> bool:
    """Whether the REST API silently keeps the old value of many keys."""
    experimental = FoldedMap(config, "the server's configuration").below("ExperimentalSettings")
    return experimental.get("RestrictSystemAdmin") is True


def watches(version: Optional[ServerVersion]) -> bool:
    """Whether a server of this version notices a change of its file by itself."""
    return features.FILE_WATCHED.in_version(version)


def reloads(server: Optional[Server], version: Optional[ServerVersion], restricted: bool) -> bool:
    """Whether the running server can be made to read its file again."""
    if server is None or version is None:
        return False
    if server.kind == API:
        return not restricted and not watches(version)
    return features.RELOAD_BY_SOCKET.in_version(version)
