# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The REST API of one app server with a session: its address, TLS, a proxy, a token or a login.

Nothing follows a redirect, so that neither token nor bundle goes to another address than the operator's.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import ssl
import urllib.parse
from dataclasses import dataclass
from typing import Dict

from .._core.errors import OperatorError
from .._host.reading import is_directory
from .._http.connection import Connection, Deadline
from .client import API_ACCESS, Server

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class _Address:
    """The parts of a URL that are needed; ``shown`` holds no account."""

    secure: bool
    host: str
    port: int
    path: str
    account: str
    shown: str


class ApiAccess:
    """Access to one app server over its REST API, with a token or with a login that lasts until :meth:`close`.

    :param url: of the app server, e.g. ``https://app1.example.com``
    :param token: personal access token; else the name and password of the account
    :param ca_path: file or directory of certificate authorities; default: the system's
    :param proxy: address of an HTTP proxy, with its account if it asks for one
    :raises OperatorError: an option is missing, contradicts another or is no address
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        username: str = "",
        password: str = "",
        ca_path: str = "",
        proxy: str = "",
    ) -> None:
        if bool(token) == bool(username or password) or bool(username) != bool(password):
            raise OperatorError(
                "api_url needs an account",
                wanted="either api_token, or api_username and api_password",
                remedy="give one of them; keep it in a vault",
            )
        self._address = _parse("api_url", url)
        if self._address.account:
            raise OperatorError(
                "api_url holds an account",
                where=self._address.shown,
                remedy="give it as api_username and api_password, or give api_token",
            )
        self._proxy = _parse("api_proxy", proxy) if proxy else None
        self._token = token
        self._login = (username, password)
        self._session = ""
        self._context = _context(ca_path) if self._address.secure else None
        by_proxy = self._proxy is not None and not self._address.secure
        where = self._address.shown + (f" by the proxy {self._proxy.shown}" if self._proxy else "")
        self.server = Server(
            self._connect,
            where,
            kind=API_ACCESS,
            # A proxy that does not tunnel is sent the whole address.
            prefix=(self._address.shown if by_proxy else self._address.path),
            always=self._proxy_headers() if by_proxy else {},
            authorize=self._authorize,
        )

    @property
    def warning(self) -> str:
        """What the operator must know about this access; empty if nothing."""
        if self._address.secure or self._address.host in _LOOPBACK:
            return ""
        return f"api_url {self._address.shown} is not encrypted: the account's secret can be read in transit"

    def close(self) -> None:
        """End the session of a login; a server that is gone ends it by itself."""
        if self._session:
            with contextlib.suppress(OperatorError):
                self.server.logout(self._session)
            self._session = ""

    def _authorize(self) -> Dict[str, str]:
        if not self._token and not self._session:
            self._session = self.server.login(*self._login)
        return {"Authorization": f"Bearer {self._token or self._session}"}

    def _connect(self, deadline: Deadline) -> http.client.HTTPConnection:
        first = self._proxy or self._address
        connection = Connection(first.host, first.port, deadline, context=self._context)
        if self._proxy and self._context is not None:
            connection.set_tunnel(self._address.host, self._address.port, self._proxy_headers())
        return connection

    def _proxy_headers(self) -> Dict[str, str]:
        if self._proxy is None or not self._proxy.account:
            return {}
        account = base64.b64encode(self._proxy.account.encode("utf-8")).decode("ascii")
        return {"Proxy-Authorization": f"Basic {account}"}


def _parse(option: str, text: str) -> _Address:
    try:
        parts = urllib.parse.urlsplit(text.strip())
        port = parts.port
    except ValueError:
        parts, port = urllib.parse.urlsplit(""), None
    # The connection to the proxy itself is not encrypted: an https:// address of a proxy is not accepted.
    proxy = option == "api_proxy"
    schemes = ("http",) if proxy else ("http", "https")
    extra = parts.query or parts.fragment or (proxy and parts.path.strip("/"))
    if parts.scheme not in schemes or not parts.hostname or extra:
        raise OperatorError(
            f"{option} is no address",
            found="not shown, it may hold a secret" if set("@?#") & set(text) else repr(text[:100]),
            wanted="http://, a name, and if need be a port"
            if proxy
            else "http:// or https://, a name, and if need be a port and a path",
            remedy=f"correct it, for example {'http://proxy.example.com:3128' if proxy else 'https://app1.example.com:8065'}",
        )
    account = ":".join(urllib.parse.unquote(part) for part in (parts.username or "", parts.password or ""))
    secure = parts.scheme == "https"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/")
    return _Address(
        secure,
        parts.hostname,
        port or (443 if secure else 80),
        path,
        account if parts.username else "",
        f"{parts.scheme}://{host}{f':{port}' if port else ''}{path}",
    )


def _context(ca_path: str) -> ssl.SSLContext:
    where = "cafile" if not is_directory(ca_path) else "capath"
    try:
        return ssl.create_default_context(**({where: ca_path} if ca_path else {}))  # type: ignore[arg-type]
    except OSError as error:  # ssl.SSLError, too
        raise OperatorError(
            "the certificate authorities cannot be read",
            where=ca_path,
            found=error.strerror or str(error),
            wanted="a PEM file, or a directory that c_rehash has prepared",
            remedy="correct api_ca_path",
        ) from error
