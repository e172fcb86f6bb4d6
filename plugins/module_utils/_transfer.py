# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""Transfer by HTTP into a file: goes on where a cut connection left off, and never beyond a size."""

from __future__ import annotations

import base64
import http.client
import netrc
import os
import re
import ssl
import urllib.error
import urllib.request
from typing import Any, BinaryIO, Optional
from urllib.parse import unquote, urlsplit, urlunsplit

from ._errors import OperatorError

_CHUNK = 256 * 1024
_FRUITLESS_ATTEMPTS = 3
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_TLS_REMEDY = "if the server has a certificate of your own CA, name it in download_ca_path"


class _Cut(Exception):
    """The connection ended before the file did."""


def shown_url(url: str) -> str:
    """A URL as it may be shown: without a password, and without a query, which may be one."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a URL that cannot be read"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "…" if parts.query else "", ""))


class Transfer:
    """
    :param timeout: seconds that a server may be silent
    :param ca_path: file or directory of the CA certificates to trust instead of the system's
    """

    def __init__(self, timeout: float, ca_path: Optional[str]) -> None:
        self._timeout = timeout
        self._ca_path = ca_path
        self._opener: Optional[urllib.request.OpenerDirector] = None

    def fetch(self, url: str, out: BinaryIO, limit: int) -> bool:
        """Complete the file ``out``, which may hold the beginning already.

        :returns: whether something that was there before was used
        :raises OperatorError: it cannot be had, or is larger than ``limit``; what came is kept in ``out``
        """
        resumed = out.seek(0, os.SEEK_END) > 0
        fruitless = 0
        while True:
            before = out.seek(0, os.SEEK_END)
            try:
                self._request(url, out, before, limit)
                return resumed
            except _Cut as error:
                fruitless = 0 if out.seek(0, os.SEEK_END) > before else fruitless + 1
                if fruitless == _FRUITLESS_ATTEMPTS:
                    raise OperatorError(
                        "the download was cut off again and again",
                        where=shown_url(url),
                        found=f"{error}, after {out.tell()} bytes",
                        remedy="run again: it goes on where it stopped",
                    ) from error
                resumed = resumed or before > 0

    def _request(self, url: str, out: BinaryIO, offset: int, limit: int) -> None:
        request = _request_for(url)
        if offset:
            request.add_header("Range", f"bytes={offset}-")
        try:
            # Only http and https: the opener knows no other scheme, nor do its redirects.
            answer = self._open(request)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 416 and offset:  # there is no more, or what is here is of another file
                    if error.headers.get("Content-Range") == f"bytes */{offset}":
                        return
                    out.truncate(0)
                    raise _Cut(f"HTTP {error.code}") from error
            raise OperatorError(
                "the download was refused",
                where=shown_url(url),
                found=f"HTTP {error.code} {error.reason}",
                remedy="see to it that the URL is right and that it may be read from here",
            ) from error
        except urllib.error.URLError as error:
            tls = isinstance(error.reason, ssl.SSLError)
            raise OperatorError(
                "the download server's certificate is not trusted" if tls else "the download server cannot be reached",
                where=shown_url(url),
                found=str(error.reason),
                remedy=_TLS_REMEDY
                if tls
                else "see to it that it can be reached from here, by a proxy if need be (https_proxy, no_proxy)",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise _Cut(str(error) or type(error).__name__) from error
        with answer:
            self._receive(answer, url, out, offset, limit)

    def _open(self, request: urllib.request.Request) -> Any:
        if self._opener is None:
            self._opener = _opener(self._ca_path)
        return self._opener.open(request, timeout=self._timeout)

    @staticmethod
    def _receive(answer: Any, url: str, out: BinaryIO, offset: int, limit: int) -> None:
        if answer.status == 206:
            said = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range") or "")
            if said is None or int(said[1]) != offset:
                out.truncate(0)
                raise _Cut("the server sent another part than it was asked for")
        elif answer.status == 200:
            out.truncate(0)
            offset = 0
        else:
            raise OperatorError("the download was refused", where=shown_url(url), found=f"HTTP {answer.status}")
        length = answer.headers.get("Content-Length")
        total = offset + int(length) if length and length.isdigit() else None
        size = offset
        while total is None or size < total:
            if max(size, total or 0) > limit:
                raise _too_large(url, total, limit)
            data = _read(answer)
            if not data:
                break
            out.write(data)
            out.flush()
            size += len(data)
        if size > limit:
            raise _too_large(url, total, limit)
        if total is not None and size < total:
            raise _Cut(f"{size} of {total} bytes")


def _read(answer: Any) -> bytes:
    try:
        return bytes(answer.read(_CHUNK))
    except (OSError, http.client.HTTPException) as error:
        raise _Cut(str(error) or type(error).__name__) from error


def _too_large(url: str, total: Optional[int], limit: int) -> OperatorError:
    return OperatorError(
        "the download is too large",
        where=shown_url(url),
        found=f"more than {limit} bytes" if total is None else f"{total} bytes",
        wanted=f"at most {limit} bytes",
        remedy="if it is the right one, raise download_limit",
    )


def _request_for(url: str) -> urllib.request.Request:
    """A request whose password, if there is one, goes to this server alone and not along with a redirect."""
    parts = urlsplit(url)
    said, _, host = parts.netloc.rpartition("@")
    plain = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    request = urllib.request.Request(plain, headers={"User-Agent": "plugops", "Accept-Encoding": "identity"})  # noqa: S310
    credentials = unquote(said) or _from_netrc(parts.hostname or "")
    if credentials:
        token = base64.b64encode(credentials.encode("utf-8")).decode("ascii")
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


def _from_netrc(host: str) -> str:
    """``user:password``; empty where the file has none for this host alone."""
    path = os.environ.get("NETRC") or os.path.join(os.path.expanduser("~"), ".netrc")
    try:
        found = netrc.netrc(path).hosts.get(host)
    except FileNotFoundError:
        return ""
    except (OSError, netrc.NetrcParseError) as error:
        raise OperatorError(
            "the file with the passwords of servers cannot be read", where=path, found=str(error)
        ) from None
    return f"{found[0]}:{found[2]}" if found else ""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """To the same scheme, or from http to https: no way leads to a weaker one or to this machine's files."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in (before, "https"):
            raise OperatorError(
                "the download was redirected to another scheme",
                where=shown_url(req.full_url),
                found=shown_url(newurl),
                wanted=f"a URL that begins with {before}:",
                remedy="name the URL that the bundle really lies at",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(ca_path: Optional[str]) -> urllib.request.OpenerDirector:
    try:
        if ca_path and os.path.isdir(ca_path):
            context = ssl.create_default_context(capath=ca_path)
        else:
            context = ssl.create_default_context(cafile=ca_path or None)
    except OSError as error:
        raise OperatorError(
            "the CA certificates cannot be read", where=str(ca_path), found=str(error), wanted="certificates in PEM"
        ) from error
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener
