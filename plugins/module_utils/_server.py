# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""A running Mattermost server's API: what can be asked of it, and its ways in on the same host.

The way in from elsewhere, with a session, is :mod:`_api_access`.
"""

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
from ._server_errors import ServerError, ServerUnreachable, json_of, no_answer, refusal
from ._version import ServerVersion, parse_server_version

API = "/api/v4"
_CHUNK = 256 * 1024
_JSON = {"Content-Type": "application/json"}
# Seconds. Installing a plugin unpacks it, copies it and starts it before the server answers.
_QUICK = 10.0
_SLOW = 180.0
_MAX_ERROR_BODY = 64 * 1024
_ADDRESS = re.compile(r"(.*):([0-9]{1,5})")
_LAST_PORT = 65535
_PATCHES_SINCE = ServerVersion(5, 20)  # before, the whole configuration is sent
_LISTS_FAILED_SINCE, _LISTS_FAILED_UNTIL = ServerVersion(5, 2), ServerVersion(5, 14)
_RUNS = 2  # as a state of a plugin
_ENABLES_SINCE = ServerVersion(5, 2)  # before, the words were activate and deactivate

SOCKET, ADDRESS, API_ACCESS = "socket", "address", "api"


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
    :param kind: ``socket`` (all may be asked), ``address`` (only what needs no session) or ``api`` (with a session)
    :param prefix: what stands before ``/api/v4`` in a request
    :param always: headers of every request
    :param authorize: gives the headers of a session; for requests that need one
    """

    def __init__(
        self,
        connect: Callable[[float], http.client.HTTPConnection],
        where: str,
        *,
        kind: str = ADDRESS,
        prefix: str = "",
        always: Optional[Dict[str, str]] = None,
        authorize: Callable[[], Dict[str, str]] = dict,
    ) -> None:
        self._connect = connect
        self._prefix = prefix
        self._always = always or {}
        self._authorize = authorize
        self.where = where
        self.kind = kind
        self._version: Optional[ServerVersion] = None

    def version(self) -> ServerVersion:
        """The version, from the ``X-Version-Id`` header of an answer to ``/system/ping``.

        :raises ServerUnreachable: nobody answers, or no Mattermost
        """
        if self._version is None:
            status, headers, body = self._exchange("GET", "/system/ping", timeout=_QUICK)
            text = headers.get("x-version-id", "")
            if not text and status in (301, 302, 303, 307, 308, 407):  # not a server that is down: a wrong address
                raise self._refusal("GET /system/ping", status, headers, body)
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
        if self.version() >= _PATCHES_SINCE:
            return self._json("PUT", "/config/patch", body=patch)
        config = self.get_config()  # masked secrets are understood: these servers put the real ones back
        for section, values in patch.items():
            there = config.setdefault(section, {})
            names = {name.lower(): name for name in there}
            there.update({names.get(name.lower(), name): value for name, value in values.items()})
        return self._json("PUT", "/config", body=config)

    def reload_config(self) -> None:
        """Make the server read its configuration again (on the socket from 6.0, with a session always)."""
        self._json("POST", "/config/reload")

    def plugins(self) -> Dict[str, List[Dict[str, Any]]]:
        """Manifests under ``active`` and ``inactive``; what runs is told by :meth:`running`."""
        answer = self._json("GET", "/plugins")
        return {"active": answer.get("active") or [], "inactive": answer.get("inactive") or []}

    def running(self) -> Dict[str, str]:
        """Id (lower case) -> version of the plugins that run now.

        5.2 to 5.13 list a plugin that failed to start as active, too; their states tell.
        """
        active = self.plugins()["active"]
        found = {str(item.get("id", "")).lower(): str(item.get("version", "")) for item in active}
        if not found or not _LISTS_FAILED_SINCE <= self.version() < _LISTS_FAILED_UNTIL:
            return found
        failed = {str(item.get("plugin_id")).lower() for item in self.statuses() if item.get("state") != _RUNS}
        return {plugin_id: version for plugin_id, version in found.items() if plugin_id not in failed}

    def plugin_system(self) -> str:
        """``on`` or ``off``, asked for without a session (so not on the socket): an off one answers 501."""
        return "off" if self.webapps() is None else "on"

    def webapps(self) -> Optional[Dict[str, str]]:
        """Id (lower case) -> version of the running plugins that have a web part, asked for without a session (so not
        on the socket); None where the plugin system is off."""
        status, headers, body = self._exchange("GET", "/plugins/webapp", timeout=_QUICK)
        if status == 501:
            return None
        if status != 200:
            raise self._refusal("GET /plugins/webapp", status, headers, body)
        found = json_of(body)
        items = found if isinstance(found, list) else []
        return {str(item.get("id", "")).lower(): str(item.get("version", "")) for item in items}

    def statuses(self) -> List[Dict[str, Any]]:
        """One item for each plugin and node, with ``state`` (2: runs) and from 7.2 ``error``; from 5.0, not on the
        socket."""
        answer = self._call("GET", "/plugins/statuses")
        return [item for item in answer if isinstance(item, dict)] if isinstance(answer, list) else []

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
        """Save the state "enabled". Success says nothing about whether the plugin runs: look at :meth:`running`."""
        word = "enable" if self.version() >= _ENABLES_SINCE else "activate"
        self._json("POST", f"/plugins/{_quoted(plugin_id)}/{word}", timeout=_SLOW)

    def disable(self, plugin_id: str) -> None:
        word = "disable" if self.version() >= _ENABLES_SINCE else "deactivate"
        self._json("POST", f"/plugins/{_quoted(plugin_id)}/{word}", timeout=_SLOW)

    def remove(self, plugin_id: str) -> None:
        """Remove the plugin and its stored bundle; its settings stay, its state becomes "disabled" (from 5.15)."""
        self._json("DELETE", f"/plugins/{_quoted(plugin_id)}", timeout=_SLOW)

    def login(self, username: str, password: str) -> str:
        """A new session's token.

        :raises ServerError: the account is not let in
        """
        account = {"login_id": username, "password": password}
        body = json.dumps(account).encode("utf-8")
        status, headers, answer = self._exchange("POST", "/users/login", body, _JSON)
        if status != 200 or not headers.get("token"):
            raise self._refusal("POST /users/login", status, headers, answer)
        return headers["token"]

    def logout(self, token: str) -> None:
        """End a session."""
        self._exchange("POST", "/users/logout", b"", {"Authorization": f"Bearer {token}"})

    def _json(self, method: str, path: str, **how: Any) -> Dict[str, Any]:
        answer = self._call(method, path, **how)
        if not isinstance(answer, dict):
            raise OperatorError(
                f"the server's answer to {method} {path} is no JSON object",
                where=self.where,
                found=repr(answer)[:80],
                remedy="check that no proxy answers in its place",
            )
        return answer

    def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Optional[Dict[str, str]] = None,
        timeout: float = _QUICK * 3,
    ) -> Any:
        """The JSON value that is answered, an empty answer as an empty object; what is no JSON as the text it is."""
        if isinstance(body, dict):
            headers = _JSON
            body = json.dumps(body).encode("utf-8")
        headers = {**(headers or {}), **self._authorize()}
        status, answered, answer = self._exchange(method, path, body, headers, timeout)
        if status >= 300:
            raise self._refusal(f"{method} {path}", status, answered, answer)
        value = json_of(answer) if answer.strip() else {}
        return answer if value is None else value

    def _exchange(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Optional[Dict[str, str]] = None,
        timeout: float = _QUICK,
    ) -> Tuple[int, Dict[str, str], bytes]:
        headers = {**self._always, **(headers or {})}
        try:
            try:
                return self._attempt(method, path, body, headers, timeout)
            except ConnectionResetError:
                # Servers of 4.x drop connections while they read their configuration again.
                if method != "GET":
                    raise
                return self._attempt(method, path, body, headers, timeout)
        except (OSError, http.client.HTTPException) as error:
            raise no_answer(f"{method} {path}", self.where, error) from error

    def _attempt(
        self, method: str, path: str, body: Any, headers: Dict[str, str], timeout: float
    ) -> Tuple[int, Dict[str, str], bytes]:
        connection = self._connect(timeout)
        try:
            try:
                connection.request(method, self._prefix + API + path, body=body, headers=headers)
            except (BrokenPipeError, ConnectionResetError):
                if body is None or connection.sock is None:
                    raise
                # A server that refuses an upload answers before it has read it all: its answer is what counts.
            answer = connection.getresponse()
            # Success bodies are read whole; the bound only keeps a wrong partner from filling the memory.
            data = answer.read() if answer.status < 300 else answer.read(_MAX_ERROR_BODY)
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, data
        finally:
            connection.close()

    def _refusal(self, request: str, status: int, headers: Dict[str, str], body: bytes) -> ServerError:
        return refusal(request, self.where, status, body, headers.get("location", ""))


def server_at_socket(path: str) -> Server:
    """The server behind a local-mode socket (5.24 and later)."""
    return Server(lambda timeout: _UnixConnection(path, timeout), f"socket {path}", kind=SOCKET)


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
