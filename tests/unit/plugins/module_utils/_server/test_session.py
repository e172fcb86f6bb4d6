# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The REST API with a session, against the stand-in: login and token, TLS, proxies, redirects, refusals."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._node.options import NODE_ARGUMENTS, NodeOptions
from ansible_collections.plugops.mattermost.plugins.module_utils._server.errors import (
    AccessDenied,
    RequestRefused,
    ServerUnreachable,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._server.session import ApiAccess

from plugops_tests.servers.deployment import PASSWORD, USER, Release, Server
from plugops_tests.servers.fronts import http_proxy, make_certificate, tls_before
from plugops_tests.standin.release import build_release
from plugops_tests.support.bundles import make_bundle

VERSIONS = ("4.6.0", "5.13.0", "11.6.0")
SECRET = "s3cr3t-token-of-nobody"


@pytest.fixture(scope="module", params=VERSIONS)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    release = Release(build_release(request.param, tmp_path_factory.mktemp("release")), f"api-{request.param}", None)
    try:
        with release.deploy() as made, made.running() as server:
            server.token()  # makes the account
            yield server
    finally:
        release.close()


def url(server: Server) -> str:
    return f"http://{server.address()}"


def port(server: Server) -> Tuple[str, int]:
    host, _, number = server.address().rpartition(":")
    return host, int(number)


def test_a_login_opens_one_session_and_ends_it(running: Server) -> None:
    api = ApiAccess(url(running), username=USER, password=PASSWORD)
    assert api.server.version().major == running.version[0]
    assert "active" in api.server.plugins()
    session = api._authorize()
    assert api._authorize() == session, "one session for all"
    assert running.public("GET", "/users/me", headers=session).status == 200
    api.close()
    assert running.public("GET", "/users/me", headers=session).status == 401
    api.close()


def test_a_token_is_used_as_it_is(running: Server, tmp_path: Path) -> None:
    server = ApiAccess(url(running), token=running.token()).server
    bundle = make_bundle(tmp_path, "com.example.token", "1.0.0")
    assert server.upload(str(bundle), force=False)["id"] == "com.example.token"
    server.enable("com.example.token")
    running.wait_active("com.example.token")
    if running.version >= (5, 0):
        assert [item["state"] for item in server.statuses() if item["plugin_id"] == "com.example.token"] == [2]
    server.disable("com.example.token")
    server.remove("com.example.token")


def test_a_patch_changes_one_key_in_old_servers_too(running: Server) -> None:
    server = ApiAccess(url(running), token=running.token()).server
    before = server.get_config()
    server.patch_config({"ServiceSettings": {"siteurl": "http://other.example.com"}})
    after = server.get_config()
    assert after["ServiceSettings"]["SiteURL"] == "http://other.example.com"
    before["ServiceSettings"]["SiteURL"] = after["ServiceSettings"]["SiteURL"]
    assert after == before


@pytest.mark.parametrize(
    ("account", "status"), [({"token": SECRET}, 401), ({"username": USER, "password": SECRET}, 401)]
)
def test_an_account_that_is_not_let_in(running: Server, account: Dict[str, str], status: int) -> None:
    api = ApiAccess(url(running), **account)
    with pytest.raises(AccessDenied, match="api_token") as raised:
        api.server.plugins()
    assert raised.value.status == status
    assert SECRET not in str(raised.value)


def test_an_account_without_rights(running: Server) -> None:
    user = {"username": "plain", "email": "plain@example.com", "password": PASSWORD}
    running.public("POST", "/users", user)
    api = ApiAccess(url(running), username="plain", password=PASSWORD)
    with pytest.raises(AccessDenied, match="be a system admin") as raised:
        api.server.plugins()
    assert raised.value.status == 403
    api.close()


def test_tls_is_verified(running: Server, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    if certificate is None:
        pytest.skip("openssl is not installed")
    with tls_before(certificate, port(running)) as (host, number):
        account: Dict[str, Any] = {"username": USER, "password": PASSWORD}
        trusting = ApiAccess(f"https://{host}:{number}", ca_path=str(certificate), **account)
        assert "active" in trusting.server.plugins()
        trusting.close()
        with pytest.raises(OperatorError, match=r"cannot be verified.*api_ca_path"):
            ApiAccess(f"https://{host}:{number}", **account).server.version()
        with pytest.raises(OperatorError, match="cannot be verified"):  # the certificate is for 127.0.0.1
            ApiAccess(f"https://localhost:{number}", ca_path=str(certificate), **account).server.version()
        with pytest.raises(OperatorError, match="write http://"):
            ApiAccess(f"https://{running.address()}", ca_path=str(certificate), **account).server.version()
        (tmp_path / "empty").mkdir()
        with pytest.raises(OperatorError, match="cannot be verified"):
            ApiAccess(f"https://{host}:{number}", ca_path=str(tmp_path / "empty"), **account).server.version()
    for wrong in ("no certificate", None):
        path = tmp_path / "wrong.pem"
        path.write_text(wrong) if wrong else path.unlink()
        with pytest.raises(OperatorError, match="correct api_ca_path"):
            ApiAccess("https://127.0.0.1", ca_path=str(path), token=SECRET)


@pytest.mark.parametrize("account", ["", "us er:p%40ss"])
@pytest.mark.parametrize("secure", [False, True])
def test_by_a_proxy(running: Server, tmp_path: Path, account: str, secure: bool) -> None:
    certificate = make_certificate(tmp_path)
    if certificate is None:
        pytest.skip("openssl is not installed")
    login: Dict[str, Any] = {"username": USER, "password": PASSWORD, "ca_path": str(certificate)}
    plain = account.replace("%40", "@")
    with http_proxy(plain) as ((host, number), seen), tls_before(certificate, port(running)) as front:
        address = f"https://127.0.0.1:{front[1]}" if secure else url(running)
        proxy = f"http://{account.replace(' ', '%20') + '@' if account else ''}{host}:{number}"
        api = ApiAccess(address, proxy=proxy, **login)
        assert "active" in api.server.plugins()
        api.close()
        first = f"CONNECT 127.0.0.1:{front[1]}" if secure else f"GET {url(running)}/api/v4/system/ping"
        assert seen[0].startswith(first) or f"POST {url(running)}/api/v4/users/login" in seen[0]
        assert "p@ss" not in api.server.where + "".join(seen)
        if account:
            with pytest.raises(OperatorError, match="account that the proxy asks for"):
                ApiAccess(address, proxy=f"http://{host}:{number}", **login).server.version()


@contextlib.contextmanager
def answering(status: int, headers: Dict[str, str]) -> Iterator[Tuple[str, List[Dict[str, str]]]]:
    """A server that answers all alike, and the path and the headers that it was sent."""
    seen: List[Dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append({"path": self.path, **self.headers})
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is printed."""

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{listener.server_address[1]}", seen
        listener.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "ask", [lambda server: server.plugins(), lambda server: server.reload_config(), lambda server: server.version()]
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(ask: Callable[[Any], Any], status: int) -> None:
    with answering(200, {}) as (elsewhere, reached), answering(
        status, {"Location": f"{elsewhere}/x?token={SECRET}"}
    ) as (address, _), pytest.raises(RequestRefused, match=f"redirect to {elsewhere}/x.*as api_url") as raised:
        ask(ApiAccess(address, token=SECRET).server)
    assert reached == []
    assert SECRET not in str(raised.value)


def test_a_server_that_is_down_is_no_wrong_access() -> None:
    with answering(200, {}) as (address, _):
        pass
    with pytest.raises(ServerUnreachable):
        ApiAccess(address, token=SECRET).server.version()
    with answering(502, {}) as (address, _), pytest.raises(ServerUnreachable):
        ApiAccess(address, token=SECRET).server.version()


def test_a_path_before_the_api() -> None:
    with answering(200, {"X-Version-Id": "9.10.0.1.x.false"}) as (address, seen):
        assert ApiAccess(f"{address}/chat/", token=SECRET).server.version().major == 9
    assert seen[0]["path"] == "/chat/api/v4/system/ping"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"api_url": "https://x"}, "needs an account"),
        ({"api_url": "https://x", "api_username": "a"}, "needs an account"),
        ({"api_url": "https://x", "api_password": "a"}, "needs an account"),
        ({"api_url": "https://x", "api_password": "a", "api_username": "a", "api_token": "t"}, "needs an account"),
        ({"api_url": f"https://user:{SECRET}@x", "api_token": "t"}, "holds an account"),
        ({"api_url": f"ftp://user:{SECRET}@x", "api_token": "t"}, "api_url is no address"),
        ({"api_url": "x.example.com", "api_token": "t"}, "api_url is no address"),
        ({"api_url": "https://x:99999", "api_token": "t"}, "api_url is no address"),
        ({"api_url": "https://x?a=b", "api_token": "t"}, "api_url is no address"),
        ({"api_url": "https://x", "api_token": "t", "api_proxy": "proxy:3128"}, "api_proxy is no address"),
        (
            {"api_url": "https://x", "api_token": "t", "api_proxy": f"https://u:{SECRET}@x"},
            "api_proxy is no address",
        ),
        ({"api_url": "https://x", "api_token": "t", "api_proxy": "http://proxy:3128/path"}, "api_proxy is no address"),
        ({"api_token": SECRET}, "api_token without api_url"),
        ({"api_proxy": "http://x"}, "api_proxy without api_url"),
    ],
)
def test_options_that_do_not_go_together(given: Dict[str, str], message: str) -> None:
    params = {name: argument.get("default") for name, argument in NODE_ARGUMENTS.items()}
    with pytest.raises(OperatorError, match=message) as raised:
        NodeOptions.from_params({**params, **given}).api_access()
    assert SECRET not in str(raised.value)


def test_secrets_are_not_in_what_python_shows() -> None:
    shown = repr(NodeOptions(api_token=SECRET, api_password=SECRET, api_proxy=f"http://u:{SECRET}@x"))
    assert SECRET not in shown


@pytest.mark.parametrize(
    ("address", "warned"),
    [("http://app1.example.com", True), ("https://app1.example.com", False), ("http://127.0.0.1:8065", False)],
)
def test_an_address_without_tls_is_warned_of(address: str, warned: bool) -> None:
    assert bool(ApiAccess(address, token=SECRET).warning) == warned
