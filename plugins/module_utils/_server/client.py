# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API of a running Mattermost server: its requests, and the connections from the same host.

Connections from elsewhere, with a session, are made by :mod:`.session`.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import urllib.parse
import uuid
from typing import Any, BinaryIO, Callable, Collection, Dict, Iterator, List, Optional, Tuple

from .._core.errors import OperatorError
from .._core.server_version import ServerVersion, parse_server_version
from .._formats.json_reader import parse_json
from .._formats.json_source import kind_of
from .._host.reading import open_file
from .._host.sockets import LocalSocket
from .._http.connection import SLOWEST, Connection, Deadline, read_body
from . import features
from .errors import (
    PLUGINS_DISABLED_STATUS,
    RequestRefused,
    ServerUnreachable,
    WrongAnswer,
    no_answer,
    request_refused,
)

API = "/api/v4"
_CHUNK = 256 * 1024
_JSON = {"Content-Type": "application/json"}
# Seconds for a request and all of its answer. Installing a plugin unpacks it, copies it and starts it before the
# server answers; an upload may take longer by a second for each 64 KiB of it (SLOWEST).
_QUICK = 10.0
_SLOW = 180.0
# Bytes of an answer, by kind. What is larger is refused, of an error the beginning is taken. Servers' configurations
# have some 60 KB, manifests 1 to 20 KB each; JSON of 4 MiB, of any content, takes less than 200 MB once it is read.
_PING_LIMIT = 64 * 1024
_ERROR_LIMIT = 64 * 1024
_SMALL_LIMIT = 1024 * 1024
_LARGE_LIMIT = 4 * 1024 * 1024  # configurations, lists of plugins
_LONGEST_ID, _LONGEST_VERSION = 256, 256
_ADDRESS = re.compile(r"(.*):([0-9]{1,5})")
_LAST_PORT = 65535
_RUNS = 2  # as a state of a plugin
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")

SOCKET, ADDRESS, API_ACCESS = "socket", "address", "api"


class Server:
    """One app server's API.

    :param connect: deadline -> connection
    :param where: how messages name the server, e.g. ``socket /var/tmp/mattermost_local.socket``
    :param kind: ``socket`` (every request), ``address`` (only requests without a session) or ``api`` (with a session)
    :param prefix: what stands before ``/api/v4`` in a request
    :param always: headers of every request
    :param authorize: returns the headers of a session; for requests that need one
    """

    def __init__(
        self,
        connect: Callable[[Deadline], http.client.HTTPConnection],
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
            status, headers, body = self._exchange("GET", "/system/ping", limit=_PING_LIMIT, whole=False)
            text = headers.get("x-version-id", "")
            if not text and status in (301, 302, 303, 307, 308, 407):  # not a server that is down: a wrong address
                raise self._refused("GET /system/ping", status, headers, body)
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
        return self._json("GET", "/config", limit=_LARGE_LIMIT)

    def patch_config(self, patch: Dict[str, Any]) -> Dict[str, Any]:
        """Change only the keys in ``patch``; a map in it replaces the whole map of the server."""
        if features.CONFIG_PATCH.in_version(self.version()):
            return self._json("PUT", "/config/patch", body=patch, limit=_LARGE_LIMIT)
        config = self.get_config()  # masked secrets are understood: these servers put the real ones back
        for section, values in patch.items():
            found = config.setdefault(section, {})
            if not isinstance(found, dict):
                raise self._wrong("GET /config", f"{kind_of(found)} as {section}", "an object")
            names = {name.lower(): name for name in found}
            found.update({names.get(name.lower(), name): value for name, value in values.items()})
        return self._json("PUT", "/config", body=config, limit=_LARGE_LIMIT)

    def reload_config(self) -> None:
        """Make the server read its configuration again (on the socket from 6.0, with a session always)."""
        self._json("POST", "/config/reload")

    def plugins(self) -> Dict[str, List[Dict[str, Any]]]:
        """Manifests under ``active`` and ``inactive``; :meth:`running` tells what runs."""
        answer = self._json("GET", "/plugins", limit=_LARGE_LIMIT)
        return {state: self._listed("GET /plugins", answer.get(state)) for state in ("active", "inactive")}

    def running(self) -> Dict[str, str]:
        """Id (lower case) -> version of the plugins that run now.

        Some servers list a plugin that failed to start as active, too; its state tells.
        """
        found = _versions(self.plugins()["active"])
        if not found or not features.FAILED_PLUGINS_LISTED_AS_ACTIVE.in_version(self.version()):
            return found
        failed = {item["plugin_id"].lower() for item in self.statuses() if item.get("state") != _RUNS}
        return {plugin_id: version for plugin_id, version in found.items() if plugin_id not in failed}

    def plugin_system(self) -> str:
        """``on`` or ``off``, requested without a session (so not on the socket)."""
        return "off" if self.webapps() is None else "on"

    def webapps(self) -> Optional[Dict[str, str]]:
        """Id (lower case) -> version of the running plugins that have a web part, requested without a session (so not
        on the socket); None if the plugin system is off."""
        request = "GET /plugins/webapp"
        status, headers, body = self._exchange("GET", "/plugins/webapp", limit=_LARGE_LIMIT)
        if status == PLUGINS_DISABLED_STATUS:
            return None
        if status != 200:
            raise self._refused(request, status, headers, body)
        return _versions(self._listed(request, self._value(request, body)))

    def statuses(self) -> List[Dict[str, Any]]:
        """One item for each plugin and node, with ``plugin_id``, ``state`` (2: runs) and from 7.2 ``error``; from 5.0,
        not on the socket."""
        answer = self._call("GET", "/plugins/statuses", limit=_LARGE_LIMIT)
        return self._listed("GET /plugins/statuses", answer or [], "plugin_id")

    def upload(self, bundle: str, force: bool) -> Dict[str, Any]:
        """Install a bundle; ``force`` (from 5.8) replaces an installed plugin of the same id.

        :param bundle: path as this process sees it
        :returns: the manifest
        :raises OSError: the bundle cannot be read
        """
        boundary = uuid.uuid4().hex
        head, tail = _multipart(boundary, force)
        with open_file(bundle) as source:
            size = os.fstat(source.fileno()).st_size
            headers = {
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Content-Length": str(len(head) + size + len(tail)),
            }
            deadline = Deadline(_SLOW, silence=_SLOW, rate=SLOWEST, sending=True)
            body = _stream(head, source, size, tail)
            return self._json("POST", "/plugins", body=body, headers=headers, deadline=deadline, limit=_LARGE_LIMIT)

    def enable(self, plugin_id: str) -> None:
        """Save the state "enabled". Success says nothing about whether the plugin runs: look at :meth:`running`."""
        word = "enable" if features.ENABLE_ROUTES.in_version(self.version()) else "activate"
        self._json("POST", f"/plugins/{_quoted(plugin_id)}/{word}", deadline=Deadline(_SLOW))

    def disable(self, plugin_id: str) -> None:
        """Save the state "disabled" and stop the plugin."""
        word = "disable" if features.ENABLE_ROUTES.in_version(self.version()) else "deactivate"
        self._json("POST", f"/plugins/{_quoted(plugin_id)}/{word}", deadline=Deadline(_SLOW))

    def remove(self, plugin_id: str) -> None:
        """Remove the plugin and its stored bundle; its settings stay, its state becomes "disabled" (from 5.15)."""
        self._json("DELETE", f"/plugins/{_quoted(plugin_id)}", deadline=Deadline(_SLOW))

    def login(self, username: str, password: str) -> str:
        """A new session's token.

        :raises RequestRefused: the server does not accept the account
        """
        account = {"login_id": username, "password": password}
        body = json.dumps(account).encode("utf-8")
        status, headers, answer = self._exchange("POST", "/users/login", body, _JSON)
        if status != 200 or not headers.get("token"):
            raise self._refused("POST /users/login", status, headers, answer)
        if not _TOKEN.fullmatch(headers["token"]):
            raise self._wrong("POST /users/login", "a token with other characters", "letters and digits")
        return headers["token"]

    def logout(self, token: str) -> None:
        """End a session."""
        self._exchange("POST", "/users/logout", b"", {"Authorization": f"Bearer {token}"})

    def _json(self, method: str, path: str, **how: Any) -> Dict[str, Any]:
        answer = self._call(method, path, **how)
        if not isinstance(answer, dict):
            raise self._wrong(f"{method} {path}", kind_of(answer), "an object")
        return answer

    def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Optional[Dict[str, str]] = None,
        **how: Any,
    ) -> Any:
        """The JSON value that is answered, an empty answer as an empty object."""
        if isinstance(body, dict):
            headers = _JSON
            body = json.dumps(body).encode("utf-8")
        headers = {**(headers or {}), **self._authorize()}
        how["deadline"] = how.get("deadline") or Deadline(_QUICK * 3)
        status, answered, answer = self._exchange(method, path, body, headers, **how)
        if not _is_success(status):
            raise self._refused(f"{method} {path}", status, answered, answer)
        return self._value(f"{method} {path}", answer) if answer.strip() else {}

    def _value(self, request: str, answer: bytes) -> Any:
        try:
            return parse_json(answer)
        except ValueError:
            page = answer.lstrip()[:1] == b"<"  # what else it is may be a secret
            raise self._wrong(request, "a web page" if page else "no valid JSON", "JSON") from None

    def _listed(self, request: str, value: Any, key: str = "id") -> List[Dict[str, Any]]:
        """The plugins of a list: objects with an id under ``key``; ``version`` is a text, empty where it is missing."""
        found: List[Dict[str, Any]] = []
        wanted = f"a list of objects with a text as {key}"
        if value is not None and not isinstance(value, list):
            raise self._wrong(request, kind_of(value), wanted)
        for item in value or []:
            if not isinstance(item, dict):
                raise self._wrong(request, f"{kind_of(item)} in the list", wanted)
            plugin_id, version = item.get(key), item.get("version")
            if not isinstance(plugin_id, str) or not 0 < len(plugin_id) <= _LONGEST_ID:
                raise self._wrong(request, f"{key} is {kind_of(plugin_id)}, empty or too long", wanted)
            if not isinstance(version or "", str) or len(version or "") > _LONGEST_VERSION:
                raise self._wrong(request, f"version is {kind_of(version)}, or too long", "a text as version")
            found.append({**item, "version": version or ""})
        return found

    def _wrong(self, request: str, found: str, wanted: str) -> WrongAnswer:
        return WrongAnswer(request, self.where, found, wanted)

    def _exchange(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Optional[Dict[str, str]] = None,
        deadline: Optional[Deadline] = None,
        limit: int = _SMALL_LIMIT,
        whole: bool = True,
    ) -> Tuple[int, Dict[str, str], bytes]:
        """Send a request, a second time if the server drops the connection of a GET.

        :param limit: bytes that a success may have
        :param whole: a larger one is refused, else cut
        """
        headers = {**self._always, **(headers or {})}
        deadline = deadline or Deadline(_QUICK)
        try:
            try:
                status, answered, data, is_whole = self._attempt(method, path, body, headers, deadline, limit)
            except ConnectionResetError:
                # Servers of 4.x drop connections while they read their configuration again.
                if method != "GET":
                    raise
                status, answered, data, is_whole = self._attempt(method, path, body, headers, deadline, limit)
        except (OSError, http.client.HTTPException, UnicodeError) as error:  # the last: of a name that no host has
            raise no_answer(f"{method} {path}", self.where, error) from error
        if whole and not is_whole and _is_success(status):
            raise self._wrong(f"{method} {path}", f"more than {limit} bytes", f"at most {limit} bytes")
        return status, answered, data

    def _attempt(
        self, method: str, path: str, body: Any, headers: Dict[str, str], deadline: Deadline, limit: int
    ) -> Tuple[int, Dict[str, str], bytes, bool]:
        connection = self._connect(deadline)
        try:
            try:
                connection.request(method, self._prefix + API + path, body=body, headers=headers)
            except (BrokenPipeError, ConnectionResetError):
                if body is None or connection.sock is None:
                    raise
                # A server that refuses an upload answers before it has read it all: its answer counts.
            deadline.sent()
            answer = connection.getresponse()
            data, is_whole = read_body(answer, limit if _is_success(answer.status) else _ERROR_LIMIT)
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, data, is_whole
        finally:
            connection.close()

    def _refused(self, request: str, status: int, headers: Dict[str, str], body: bytes) -> RequestRefused:
        return request_refused(request, self.where, status, body, headers.get("location", ""))


def server_at_socket(path: str, uids: Collection[int] = (), wanted: str = "", shown: str = "") -> Server:
    """The server behind a local-mode socket (5.24 and later). Its requests raise ForeignSocket where another user
    listens.

    :param uids: who may listen beside root and this process's own user; for the others see :class:`LocalSocket`
    """
    opened = LocalSocket(path, uids, wanted, shown).connect
    return Server(
        lambda deadline: Connection("localhost", None, deadline, opened=opened), f"socket {path}", kind=SOCKET
    )


def server_at_address(listen_address: str, tls: bool) -> Optional[Server]:
    """The server behind ``ServiceSettings.ListenAddress`` on this host; None if that is no address.

    Only for requests that need no session: a certificate made for the public name cannot be checked.
    """
    match = _ADDRESS.fullmatch(listen_address)
    if match is None or int(match.group(2)) > _LAST_PORT:
        return None
    host, port = match.group(1).strip("[]"), int(match.group(2))
    host = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host  # noqa: S104 - compared, not bound

    def connect(deadline: Deadline) -> http.client.HTTPConnection:
        if not tls:
            return Connection(host, port, deadline)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return Connection(host, port, deadline, context=context)

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


def _stream(head: bytes, source: BinaryIO, size: int, tail: bytes) -> Iterator[bytes]:
    """The body of an upload, in parts.

    :raises OSError: the source does not hold ``size`` bytes any more
    """
    yield head
    while size:
        data = source.read(min(_CHUNK, size))
        if not data:
            raise OSError("the bundle got shorter while it was uploaded")
        size -= len(data)
        yield data
    yield tail


def _versions(plugins: List[Dict[str, Any]]) -> Dict[str, str]:
    """Id (lower case) -> version."""
    return {item["id"].lower(): item.get("version", "") for item in plugins}


def _is_success(status: int) -> bool:
    return 200 <= status < 300
