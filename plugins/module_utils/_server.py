# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""A running Mattermost server's API, reached through its local-mode socket or over TCP on the same host."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import urllib.parse
import uuid
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional, Tuple

from ._errors import OperatorError
from ._version import ServerVersion, parse_server_version

API = "/api/v4"
_CHUNK = 256 * 1024
# Seconds. Installing a plugin unpacks it, copies it and starts it before the server answers.
_QUICK = 10.0
_SLOW = 180.0
_MAX_ERROR_BODY = 64 * 1024
_ADDRESS = re.compile(r"(.*):([0-9]{1,5})")
_LAST_PORT = 65535


class ServerError(OperatorError):
    """The server answered with an error.

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


class ServerUnreachable(OperatorError):
    """Nobody answers there."""


# What an operator does about the refusals that only a setting or a right can mend.
_REMEDIES = {
    "app.plugin.upload_disabled.app_error": "set EnableUploads to true and RequirePluginSignature to false "
    "(mattermost_plugin_settings), or let the bundle be unpacked or put into the filestore instead",
    "app.plugin.disabled.app_error": "the plugin system is off: set PluginSettings.Enable, and look in the server's "
    "log for 'failed to start up plugins' (directories or working directory); then restart the service",
    "ent.cluster.save_config.error": "the cluster's configuration is read-only over the API: use via: file on every "
    "app server, or switch ClusterSettings.ReadOnlyConfig off",
    "app.plugin.cluster.save_config.app_error": "the cluster's configuration is read-only over the API: set the "
    "plugin's state in config.json on every app server (via: file)",
    "app.plugin.config.app_error": "the server cannot save the plugin's state, in a cluster mostly because its "
    "configuration is read-only over the API: set the state in config.json on every app server (via: file)",
    "api.plugin.upload.file_too_large.app_error": "raise FileSettings.MaxFileSize above the size of the bundle",
    "app.plugin.mvdir.app_error": "make the plugin directory writable for the service user "
    "(mattermost_plugin_directories)",
    "app.plugin.webapp_bundle.app_error": "make the client plugin directory writable for the service user "
    "(mattermost_plugin_directories)",
}


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Server:
    """One app server's API.

    :param connect: timeout in seconds -> connection
    :param where: how messages name the server, e.g. ``socket /var/tmp/mattermost_local.socket``
    """

    def __init__(self, connect: Callable[[float], http.client.HTTPConnection], where: str) -> None:
        self._connect = connect
        self.where = where
        self._version: Optional[ServerVersion] = None

    def version(self) -> ServerVersion:
        """The version, from the ``X-Version-Id`` header of an answer to ``/system/ping``.

        :raises ServerUnreachable: nobody answers, or no Mattermost
        """
        if self._version is None:
            _, headers, _ = self._exchange("GET", "/system/ping", timeout=_QUICK)
            text = headers.get("x-version-id", "")
            try:
                self._version = parse_server_version(text)
            except OperatorError as error:
                raise ServerUnreachable(
                    "what answers here is no Mattermost server",
                    where=self.where,
                    found=f"X-Version-Id {text[:100]!r}" if text else "an answer without X-Version-Id",
                    remedy="correct the socket or the listen address",
                ) from error
        return self._version

    def get_config(self) -> Dict[str, Any]:
        """The effective configuration. From 10.x on it lacks the settings of plugins that are not installed and
        masks secrets with asterisks: never send it back as it came."""
        return self._json("GET", "/config")

    def patch_config(self, patch: Dict[str, Any]) -> Dict[str, Any]:
        """Change only the keys given; a map given replaces the server's whole map."""
        return self._json("PUT", "/config/patch", body=patch)

    def reload_config(self) -> None:
        """Make the server read its configuration again (on the socket from 6.0)."""
        self._json("POST", "/config/reload")

    def plugins(self) -> Dict[str, List[Dict[str, Any]]]:
        """Manifests under ``active`` (running now) and ``inactive``."""
        answer = self._json("GET", "/plugins")
        return {"active": answer.get("active") or [], "inactive": answer.get("inactive") or []}

    def plugin_system(self) -> str:
        """``on`` or ``off``, asked for without a session (so not on the socket): an off one answers 501."""
        status, _, body = self._exchange("GET", "/plugins/webapp", timeout=_QUICK)
        if status == 501:
            return "off"
        if status != 200:
            raise self._refusal("GET /plugins/webapp", status, body)
        return "on"

    def upload(self, bundle: str, force: bool) -> Dict[str, Any]:
        """Install a bundle; ``force`` (from 5.8) replaces an installed plugin of the same id.

        :param bundle: path as this process sees it
        :returns: the manifest
        :raises OSError: the bundle cannot be read
        """
        boundary = uuid.uuid4().hex
        head, tail = _multipart(boundary, force)
        with open(bundle, "rb") as source:
            length = len(head) + os.fstat(source.fileno()).st_size + len(tail)
            headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(length)}
            return self._json("POST", "/plugins", body=_stream(head, source, tail), headers=headers, timeout=_SLOW)

    def enable(self, plugin_id: str) -> None:
        """Save the state "enabled". Success says nothing about whether the plugin runs: look at :meth:`plugins`."""
        self._json("POST", f"/plugins/{_quoted(plugin_id)}/enable", timeout=_SLOW)

    def disable(self, plugin_id: str) -> None:
        self._json("POST", f"/plugins/{_quoted(plugin_id)}/disable", timeout=_SLOW)

    def remove(self, plugin_id: str) -> None:
        """Remove the plugin and its stored bundle; its settings stay, its state becomes "disabled" (from 5.15)."""
        self._json("DELETE", f"/plugins/{_quoted(plugin_id)}", timeout=_SLOW)

    def _json(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Optional[Dict[str, str]] = None,
        timeout: float = _QUICK * 3,
    ) -> Dict[str, Any]:
        if isinstance(body, dict):
            headers = {"Content-Type": "application/json"}
            body = json.dumps(body).encode("utf-8")
        status, _, answer = self._exchange(method, path, body, headers, timeout)
        if status >= 300:
            raise self._refusal(f"{method} {path}", status, answer)
        document = _object_of(answer) if answer.strip() else {}
        if document is None:
            raise OperatorError(
                f"the server's answer to {method} {path} is no JSON object",
                where=self.where,
                found=repr(answer[:80]),
                remedy="check that no proxy answers in its place",
            )
        return document

    def _exchange(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Optional[Dict[str, str]] = None,
        timeout: float = _QUICK,
    ) -> Tuple[int, Dict[str, str], bytes]:
        connection = self._connect(timeout)
        try:
            try:
                connection.request(method, API + path, body=body, headers=headers or {})
            except (BrokenPipeError, ConnectionResetError):
                if body is None or connection.sock is None:
                    raise
                # A server that refuses an upload answers before it has read it all: its answer is what counts.
            answer = connection.getresponse()
            # Success bodies are read whole; the bound only keeps a wrong partner from filling the memory.
            data = answer.read() if answer.status < 300 else answer.read(_MAX_ERROR_BODY)
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, data
        except (OSError, http.client.HTTPException) as error:
            raise ServerUnreachable(
                "the Mattermost server does not answer",
                where=self.where,
                found=f"{method} {path}: {error or type(error).__name__}",
                remedy="check that the service runs, and its log",
            ) from error
        finally:
            connection.close()

    def _refusal(self, request: str, status: int, body: bytes) -> ServerError:
        error_id, message = _error_of(body)
        remedy = _REMEDIES.get(error_id, "see the server's log")
        if status == 413 or "request body too large" in message:
            remedy = _REMEDIES["api.plugin.upload.file_too_large.app_error"]
        return ServerError(f"{request} at {self.where}", status, error_id, message, remedy)


def server_at_socket(path: str) -> Server:
    """The server behind a local-mode socket (5.24 and later)."""
    return Server(lambda timeout: _UnixConnection(path, timeout), f"socket {path}")


def server_at_address(listen_address: str, tls: bool) -> Optional[Server]:
    """The server behind ``ServiceSettings.ListenAddress`` on this host; None if that is no address.

    Only what needs no session may be asked there: a certificate made for the public name cannot be checked.
    """
    match = _ADDRESS.fullmatch(listen_address)
    if match is None or int(match.group(2)) > _LAST_PORT:
        return None
    host, port = match.group(1).strip("[]"), int(match.group(2))
    host = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host  # noqa: S104 - compared, not bound

    def connect(timeout: float) -> http.client.HTTPConnection:
        if not tls:
            return http.client.HTTPConnection(host, port, timeout=timeout)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)

    shown = f"[{host}]" if ":" in host else host
    return Server(connect, f"{'https' if tls else 'http'}://{shown}:{port}")


def _quoted(plugin_id: str) -> str:
    return urllib.parse.quote(plugin_id, safe="")


def _multipart(boundary: str, force: bool) -> Tuple[bytes, bytes]:
    fields = ""
    if force:
        fields = f'--{boundary}\r\nContent-Disposition: form-data; name="force"\r\n\r\ntrue\r\n'
    head = (
        f"{fields}--{boundary}\r\n"
        'Content-Disposition: form-data; name="plugin"; filename="plugin.tar.gz"\r\n'
        "Content-Type: application/gzip\r\n\r\n"
    )
    return head.encode("ascii"), f"\r\n--{boundary}--\r\n".encode("ascii")


def _stream(head: bytes, source: BinaryIO, tail: bytes) -> Iterator[bytes]:
    yield head
    yield from iter(lambda: source.read(_CHUNK), b"")
    yield tail


def _object_of(body: bytes) -> Optional[Dict[str, Any]]:
    try:
        document = json.loads(body.decode("utf-8"))
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _error_of(body: bytes) -> Tuple[str, str]:
    document = _object_of(body)
    if document is None:
        return "", body.decode("utf-8", "replace").strip()[:300]
    detail = str(document.get("detailed_error") or "")
    message = str(document.get("message") or "")
    return str(document.get("id") or ""), f"{message} {detail}".strip()
