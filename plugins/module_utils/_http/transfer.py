# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer by HTTP into a file: resumes after a cut connection, never beyond a size, and with a deadline."""

from __future__ import annotations

import base64
import contextlib
import http.client
import netrc
import os
import re
import ssl
import urllib.error
import urllib.request
from typing import Any, BinaryIO, Optional, Sequence
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from .._core.errors import INPUT_ERRORS, OperatorError, kind_and_text
from .._host.reading import is_directory
from .connection import SLOWEST, Connection, Deadline, read_part

_CHUNK = 64 * 1024  # what is lost of a connection that is cut
_FRUITLESS_ATTEMPTS = 3
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")
_DIGITS = re.compile("[0-9]+")
_HIGHEST = 10**18  # a number of bytes; what is higher is taken for it
_SLACK = 120.0  # seconds that a download of any size may take; beyond that it must reach SLOWEST on average
_MOST_REDIRECTS = 10
_LONGEST_TEXT = 200  # how much of a server's text is shown, in characters
_RESUMES = "run again: the download resumes where it stopped"
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


def is_sound(url: str, schemes: Sequence[str]) -> bool:
    """Whether a URL has one of the schemes, and is one that can be requested."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        return False
    spaced = any(ord(character) <= 32 or ord(character) == 127 for character in url)
    return parts.scheme in schemes and (parts.scheme == "file" or bool(parts.hostname)) and not spaced


class Transfer:
    """Downloads with the limits and the certificate authorities of one run.

    :param timeout: seconds that a server may be silent
    :param ca_path: file or directory of the CA certificates to trust instead of the system's
    :param slack: seconds that a download of any size may take
    :param rate: bytes in a second that must have come beyond that, on average
    """

    def __init__(self, timeout: float, ca_path: Optional[str], slack: float = _SLACK, rate: float = SLOWEST) -> None:
        self._timeout = timeout
        self._slack = max(slack, 2 * timeout)
        self._rate = rate
        self._ca_path = ca_path
        self._context: Optional[ssl.SSLContext] = None

    def fetch(self, url: str, out: BinaryIO, limit: int) -> bool:
        """Complete the file ``out``, which may hold the beginning already.

        :returns: whether content that ``out`` had before was used
        :raises OperatorError: it is not available, or larger than ``limit``; what was received is kept in ``out``
        """
        resumed = out.seek(0, os.SEEK_END) > 0
        gain = _Gain(Deadline(self._slack, silence=self._timeout, rate=self._rate), out.tell())
        opener = self._opener(gain.deadline)
        fruitless = 0
        while True:
            before = out.seek(0, os.SEEK_END)
            try:
                self._request(opener, url, out, limit, gain)
                return resumed
            except _Cut as error:
                if gain.deadline.is_over:
                    raise _too_slow(url, gain.deadline, out) from error
                fruitless = 0 if out.seek(0, os.SEEK_END) > before else fruitless + 1
                if fruitless == _FRUITLESS_ATTEMPTS:
                    raise OperatorError(
                        "the download was cut off again and again",
                        where=shown_url(url),
                        found=f"{error}, after {out.tell()} bytes",
                        remedy=_RESUMES,
                    ) from error
                resumed = resumed or before > 0

    def _request(self, opener: urllib.request.OpenerDirector, url: str, out: BinaryIO, limit: int, gain: _Gain) -> None:
        request, offset = _request_for(url), out.tell()
        if offset:
            request.add_header("Range", f"bytes={offset}-")
        try:
            # Only http and https: the opener knows no other scheme, nor do its redirects.
            answer = opener.open(request, timeout=gain.deadline.left())
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):  # that of a redirect is closed already
                if error.code == 416 and offset:  # there is no more, or what is here is of another file
                    if error.headers.get("Content-Range") == f"bytes */{offset}":
                        return
                    out.truncate(0)
                    raise _Cut(f"HTTP {error.code}") from error
            raise OperatorError(
                "the download was refused",
                where=shown_url(url),
                found=f"HTTP {error.code} {str(error.reason)[:_LONGEST_TEXT]}",
                remedy="check the URL, and that it may be read from here",
            ) from error
        except urllib.error.URLError as error:
            if gain.deadline.is_over:
                raise _too_slow(url, gain.deadline, out) from error
            raise _unreachable(url, error) from error
        except (OSError, http.client.HTTPException) as error:
            raise _Cut(str(error)[:_LONGEST_TEXT] or type(error).__name__) from error
        except INPUT_ERRORS as error:  # of a host's name in a redirect, say
            raise _nonsense(url, kind_and_text(error)) from error
        with answer:
            self._receive(answer, url, out, offset, limit, gain)

    def _opener(self, deadline: Deadline) -> urllib.request.OpenerDirector:
        if self._context is None:
            self._context = _context(self._ca_path)
        return _opener(self._context, deadline)

    @staticmethod
    def _receive(answer: Any, url: str, out: BinaryIO, offset: int, limit: int, gain: _Gain) -> None:
        if answer.status == 206:
            parts = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range") or "")
            if parts is None or int(parts[1]) != offset:
                out.truncate(0)
                raise _Cut("the server sent another part than was requested")
        elif answer.status == 200:
            out.truncate(0)
            offset = 0
        else:
            raise OperatorError("the download was refused", where=shown_url(url), found=f"HTTP {answer.status}")
        total = _total(answer, url, offset)
        if max(offset, total or 0) > limit:
            raise _too_large(url, total, limit)
        size, buffer = offset, memoryview(bytearray(_CHUNK))
        while total is None or size < total:
            # One more than may come, to see that there is more; it is not written.
            data = _read(answer, buffer[: (limit if total is None else total - 1) + 1 - size])
            if not data:
                break
            size += len(data)
            if size > limit:
                raise _too_large(url, total, limit)
            out.write(data)
            out.flush()
            gain.reached(size)
        if total is not None and size < total:
            raise _Cut(f"{size} of {total} bytes")


class _Gain:
    """Counts new bytes of a download as progress; bytes that are sent again are none."""

    def __init__(self, deadline: Deadline, size: int) -> None:
        self.deadline = deadline
        self._most = size

    def reached(self, size: int) -> None:
        """The download has this many bytes."""
        if size > self._most:
            self.deadline.progress(size - self._most)
            self._most = size


def _total(answer: Any, url: str, offset: int) -> Optional[int]:
    """The size that the file must have; None if its server does not say. An answer in chunks has no length."""
    length = answer.headers.get("Content-Length")
    if length is None or answer.headers.get("Transfer-Encoding"):
        return None
    if not _DIGITS.fullmatch(length.strip()):
        raise _nonsense(url, f"Content-Length: {length[:_LONGEST_TEXT]}")
    return offset + (int(length) if len(length) < len(str(_HIGHEST)) else _HIGHEST)


def _read(answer: Any, part: memoryview) -> memoryview:
    try:
        return part[: read_part(answer, part)]
    except (OSError, http.client.HTTPException) as error:
        raise _Cut(str(error)[:_LONGEST_TEXT] or type(error).__name__) from error


def _nonsense(url: str, found: str) -> OperatorError:
    return OperatorError(
        "the download server's answer is not what servers answer",
        where=shown_url(url),
        found=found,
        remedy="check what answers at that URL, for example a proxy",
    )


def _too_slow(url: str, deadline: Deadline, out: BinaryIO) -> OperatorError:
    return OperatorError(
        "the download is too slow",
        where=shown_url(url),
        found=f"{deadline.error()}; {out.seek(0, os.SEEK_END)} bytes are there",
        wanted=f"{deadline.rate or 0:g} bytes in a second on average",
        remedy=_RESUMES,
    )


def _unreachable(url: str, error: urllib.error.URLError) -> OperatorError:
    tls = isinstance(error.reason, ssl.SSLError)
    return OperatorError(
        "the download server's certificate is not trusted" if tls else "the download server cannot be reached",
        where=shown_url(url),
        found=str(error.reason)[:_LONGEST_TEXT],
        remedy=_TLS_REMEDY
        if tls
        else "check that it can be reached from here, through a proxy if necessary (https_proxy, no_proxy)",
    )


def _too_large(url: str, total: Optional[int], limit: int) -> OperatorError:
    return OperatorError(
        "the download is too large",
        where=shown_url(url),
        found=f"more than {limit} bytes" if total is None else f"{total} bytes",
        wanted=f"at most {limit} bytes",
        remedy="if it is the correct file, raise download_limit",
    )


def _request_for(url: str) -> urllib.request.Request:
    """A request whose password, if there is one, goes to this server alone and not along with a redirect."""
    parts = urlsplit(url)
    account, _separator, host = parts.netloc.rpartition("@")
    plain = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    request = urllib.request.Request(plain, headers={"User-Agent": "plugops", "Accept-Encoding": "identity"})  # noqa: S310
    credentials = unquote(account) or _from_netrc(parts.hostname or "")
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
    """To the same scheme, or from http to https: never to a weaker one or to files of this machine."""

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        fp.close()  # its body is not read: it may have no end
        target = headers.get("Location")
        if target is None:
            return None  # refused as what it is
        hops = getattr(req, "hops", 0) + 1
        if hops > _MOST_REDIRECTS:
            raise _nonsense(req.full_url, f"more than {_MOST_REDIRECTS} redirects, one after another")
        request = self.redirect_request(req, fp, code, msg, headers, _target(req.full_url, target))
        if request is not None:
            request.hops = hops  # type: ignore[attr-defined]
        return request and self.parent.open(request, timeout=req.timeout)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _target(url: str, location: str) -> str:
    """Where a redirect leads.

    :raises OperatorError: nowhere, or to another scheme
    """
    try:
        target = urljoin(url, location.replace(" ", "%20"))
        scheme, account = urlsplit(target).scheme, "@" in urlsplit(target).netloc
    except ValueError:
        target, scheme, account = "", "", False
    before = urlsplit(url).scheme
    if scheme and scheme not in (before, "https"):
        raise OperatorError(
            "the download was redirected to another scheme",
            where=shown_url(url),
            found=shown_url(target)[:_LONGEST_TEXT],
            wanted=f"a URL that begins with {before}:",
            remedy="specify the URL of the bundle itself",
        )
    if account or not is_sound(target, (before, "https")):
        raise _nonsense(url, "a redirect to an account" if account else f"Location: {location[:_LONGEST_TEXT]}")
    return target


def _context(ca_path: Optional[str]) -> ssl.SSLContext:
    try:
        if ca_path and is_directory(ca_path):
            return ssl.create_default_context(capath=ca_path)
        return ssl.create_default_context(cafile=ca_path or None)
    except OSError as error:
        raise OperatorError(
            "the CA certificates cannot be read", where=str(ca_path), found=str(error), wanted="certificates in PEM"
        ) from error


class _Http(urllib.request.AbstractHTTPHandler):
    """http and https, over connections that keep a deadline."""

    def __init__(self, context: ssl.SSLContext, deadline: Deadline) -> None:
        super().__init__()
        self._tls = context
        self._deadline = deadline

    def http_open(self, request: Any) -> Any:
        return self.do_open(self._connection(None), request)

    def https_open(self, request: Any) -> Any:
        return self.do_open(self._connection(self._tls), request)

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def _connection(self, context: Optional[ssl.SSLContext]) -> Any:
        return lambda host, timeout: Connection(host, None, self._deadline, context=context)


def _opener(context: ssl.SSLContext, deadline: Deadline) -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        _Http(context, deadline),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener
