# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong between the collection and a Mattermost server, and what an operator does about it.

The errors, each a kind of the one above it::

    OperatorError             also: the access is set up wrongly (certificate, TLS, proxy)
    |-- ServerUnreachable     nobody answers
    `-- ServerError           a server answers, and does not do what was requested
        |-- WrongAnswer       it answers with success, and with something that no server answers
        `-- RequestRefused    it answers with an error or a redirect
            |-- AccessDenied        not for this account (401, 403)
            |-- PluginsDisabled     the plugin system is off, or for an upload: uploads are (501)
            `-- PluginNotInstalled  the server has no plugin of this id (404, before 5.20 400)

Callers tell them apart by class; statuses and error ids of servers are known here alone.
"""

from __future__ import annotations

import re
import ssl
from typing import Any, Dict, Optional, Tuple, Type

from .._core.errors import OperatorError
from .._formats.json_reader import parse_json

PLUGINS_DISABLED_STATUS = 501
_DENIED = (401, 403)
_NOT_INSTALLED = "app.plugin.not_installed.app_error"


class ServerUnreachable(OperatorError):
    """Nobody answers there."""


class ServerError(OperatorError):
    """The server answered, and did not do what was requested."""


class WrongAnswer(ServerError):
    """The server answered with success, and with something that no server answers."""

    def __init__(self, request: str, where: str, found: str, wanted: str) -> None:
        super().__init__(
            "the server's answer is not what servers answer",
            where=f"{request} at {where}",
            found=found,
            wanted=wanted,
            remedy="check that no proxy answers in its place, then look in the server's log",
        )


class RequestRefused(ServerError):
    """The server answered with an error or a redirect.

    :ivar status: HTTP status
    :ivar id: Mattermost's error id, e.g. ``app.plugin.upload_disabled.app_error``; empty where it gave none
    """

    def __init__(self, where: str, status: int, error_id: str, message: str, remedy: str = "") -> None:
        self.status = status
        self.id = error_id
        super().__init__(
            "the Mattermost server refused",
            where=where,
            found=" ".join(part for part in (f"HTTP {status}", error_id, message) if part),
            remedy=remedy,
        )


class AccessDenied(RequestRefused):
    """The account may not do this, or there is none."""


class PluginsDisabled(RequestRefused):
    """The plugin system is off or its start-up failed; for an upload: uploads are off, or signatures are required."""


class PluginNotInstalled(RequestRefused):
    """The server has no plugin of this id."""


# Error id -> what to do, where only a setting or a right helps.
_REMEDIES = {
    "app.plugin.upload_disabled.app_error": "set EnableUploads to true and RequirePluginSignature to false "
    "(mattermost_plugin_settings), or let the bundle be put into the filestore instead (strategy: filestore)",
    "app.plugin.disabled.app_error": "the plugin system is off: set PluginSettings.Enable, and look in the server's "
    "log for 'failed to start up plugins' (directories or working directory); then restart the service",
    "ent.cluster.save_config.error": "the cluster's configuration is read-only over the API: use via: file on every "
    "app server, or switch ClusterSettings.ReadOnlyConfig off",
    "app.plugin.cluster.save_config.app_error": "the cluster's configuration is read-only over the API: set the "
    "plugin's state in config.json on every app server (via: file)",
    "app.plugin.config.app_error": "the server cannot save the plugin's state, in a cluster mostly because its "
    "configuration is read-only over the API: set the state in config.json on every app server (via: file)",
    "api.config.update_config.not_allowed_security.app_error": "a server takes this setting from its file, its "
    "environment or its local-mode socket only: use via: file or via: socket",
    "api.plugin.upload.file_too_large.app_error": "raise FileSettings.MaxFileSize above the size of the bundle",
    "api.plugin.install.directory_conflict.app_error": "set PluginSettings.Directory and ImportSettings.Directory "
    "to directories that do not contain each other",
    "app.plugin.mvdir.app_error": "make the plugin directory writable for the service user "
    "(mattermost_plugin_directories)",
    "app.plugin.webapp_bundle.app_error": "make the client plugin directory writable for the service user "
    "(mattermost_plugin_directories)",
    "app.plugin.store_bundle.app_error": "make FileSettings.Directory writable for the service user, or allow "
    "writing to the bucket",
    "api.restricted_system_admin": "the server restricts its admins (ExperimentalSettings.RestrictSystemAdmin): use "
    "via: file or via: socket",
}
# Status -> what to do, for errors without such an id.
_BY_STATUS = {
    401: "give the personal access token of a system admin as api_token (with ServiceSettings.EnableUserAccessTokens "
    "on), or an account without multi-factor authentication as api_username and api_password",
    403: "let the account of api_token or api_username be a system admin, or give it the system console's rights to "
    "read and write plugins and to read the configuration",
    407: "give api_proxy with the account that the proxy asks for: http://user:password@host:port",
    413: "raise FileSettings.MaxFileSize above the size of the bundle; and where a proxy stands before the server, its "
    "own limit, too (nginx: client_max_body_size), or upload past it: api_url of the app server itself, or its socket",
}
# How much of an answer is shown, in bytes and characters.
_LONGEST_BODY, _LONGEST_PAGE, _LONGEST_TEXT, _LONGEST_ID = 4096, 300, 1000, 200
_REDIRECTED = "write the address to which it leads as api_url: neither token nor bundle is sent after a redirect"


def request_refused(request: str, where: str, status: int, body: bytes, location: str = "") -> RequestRefused:
    """The error for an answer.

    :param location: where a redirect leads
    """
    error_id, message = _error_of(body)
    remedy = _REMEDIES.get(error_id) or _BY_STATUS.get(status, "see the server's log")
    if "request body too large" in message:
        remedy = _BY_STATUS[413]
    if 300 <= status < 400:
        message, remedy = f"redirect to {_shown(location.partition('?')[0])}", _REDIRECTED
    return _kind(status, error_id)(f"{request} at {where}", status, error_id, message, remedy)


def _kind(status: int, error_id: str) -> Type[RequestRefused]:
    if error_id == _NOT_INSTALLED:
        return PluginNotInstalled
    if status == PLUGINS_DISABLED_STATUS:
        return PluginsDisabled
    return AccessDenied if status in _DENIED else RequestRefused


def no_answer(request: str, where: str, error: Exception) -> OperatorError:
    """The error for a failed connection: a server that is down, or an access that is set up wrongly."""
    found = f"{request}: {_shown(str(error)) or type(error).__name__}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return OperatorError(
            "the certificate of the Mattermost server cannot be verified",
            where=where,
            found=error.verify_message or str(error),
            remedy="give the certificate authority as api_ca_path, and as api_url the name that the certificate is for",
        )
    if isinstance(error, UnicodeError):
        return ServerUnreachable(
            "no host has this name",
            where=where,
            found=_shown(str(error)),
            wanted="1 to 63 characters between two dots",
            remedy="correct ServiceSettings.ListenAddress, or api_url",
        )
    if isinstance(error, ssl.SSLError) and "WRONG_VERSION_NUMBER" in str(error):
        return OperatorError("the server does not speak TLS", where=where, remedy="write http:// in api_url")
    if re.match(r"Tunnel connection failed: 4", str(error)):
        return OperatorError(
            "the proxy refuses the connection", where=where, found=_shown(str(error)), remedy=_BY_STATUS[407]
        )
    return ServerUnreachable(
        "the Mattermost server does not answer",
        where=where,
        found=found,
        remedy="check that the service runs, and its log",
    )


def object_of(body: bytes) -> Optional[Dict[str, Any]]:
    """The JSON object in an answer; None if it is no object."""
    document = json_of(body)
    return document if isinstance(document, dict) else None


def json_of(body: bytes) -> Any:
    """The JSON value in an answer; None if it is no JSON."""
    try:
        return parse_json(body)
    except ValueError:
        return None


def _error_of(body: bytes) -> Tuple[str, str]:
    document = object_of(body)
    if document is None:
        return "", _shown(body[:_LONGEST_BODY].decode("utf-8", "replace").strip())[:_LONGEST_PAGE]
    text = " ".join(_shown(str(document.get(name) or "")) for name in ("message", "detailed_error"))
    return str(document.get("id") or "")[:_LONGEST_ID], text.strip()


def _shown(text: str) -> str:
    """A text of a server as messages show it: its secrets masked, its length limited."""
    from .._core.secrets import masked

    return masked(text[:_LONGEST_TEXT])
