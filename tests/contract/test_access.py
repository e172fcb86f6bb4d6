# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may call the API over TCP, and what each access may do: access tokens, sessions, the local-mode socket."""

from __future__ import annotations

from typing import Any, Dict, Tuple

import pytest

from plugops_tests.servers.deployment import PASSWORD, USER, Answer, Deployment, Server
from plugops_tests.support.bundles import make_bundle

pytestmark = pytest.mark.contract

KINDS = ("access token", "session")


def _headers(token: str) -> Dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _login(server: Server, password: str = PASSWORD) -> Answer:
    return server.public("POST", "/users/login", {"login_id": USER, "password": password})


def _new_access_token(server: Server) -> Dict[str, Any]:
    user = server.rest("GET", "/users/me").json
    made = server.rest("POST", f"/users/{user['id']}/tokens", {"description": "deployment"})
    assert made.status in (200, 201)
    token = made.json
    assert isinstance(token, dict)
    return token


def _new_token(server: Server, kind: str) -> str:
    server.token()  # makes the user
    if kind == "access token":
        return str(_new_access_token(server)["token"])
    return str(_login(server).headers["Token"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_life_of_a_plugin(
    shared: Server, shared_deployment: Deployment, version: Tuple[int, ...], kind: str
) -> None:
    plugin_id = f"rest.{kind.replace(' ', '-')}"
    as_admin = _headers(_new_token(shared, kind))
    on, off = ("enable", "disable") if version >= (5, 2) else ("activate", "deactivate")
    bundle = make_bundle(shared_deployment.bundles, plugin_id, "1.0.0")
    assert shared.upload(bundle, headers=as_admin).status == 201
    assert shared.public("POST", f"/plugins/{plugin_id}/{on}", None, as_admin).status == 200
    shared.wait_active(plugin_id)
    listed = shared.public("GET", "/plugins", None, as_admin).json["active"]
    assert plugin_id in [item["id"] for item in listed]
    if version >= (5, 0):
        statuses = shared.public("GET", "/plugins/statuses", None, as_admin).json
        assert [(item["state"], item["cluster_id"]) for item in statuses if item["plugin_id"] == plugin_id] == [(2, "")]
    assert shared.public("POST", f"/plugins/{plugin_id}/{off}", None, as_admin).status == 200
    shared.wait_inactive(plugin_id)
    if version >= (5, 0):
        statuses = shared.public("GET", "/plugins/statuses", None, as_admin).json
        assert [item["state"] for item in statuses if item["plugin_id"] == plugin_id] == [0]
    assert shared.public("DELETE", f"/plugins/{plugin_id}", None, as_admin).status == 200


def test_what_is_no_valid_login(shared: Server) -> None:
    """Every answer is 401; none says whether the token ever was one."""
    shared.token()
    revoked = _new_access_token(shared)
    ended = str(_login(shared).headers["Token"])
    for token in (revoked["token"], ended):
        assert shared.public("GET", "/plugins", None, _headers(token)).status == 200
    assert shared.rest("POST", "/users/tokens/revoke", {"token_id": revoked["id"]}).status == 200
    assert shared.public("POST", "/users/logout", None, _headers(ended)).status == 200
    for token in (revoked["token"], ended, "nonsense", "x" * 26):
        for method, path in (("GET", "/plugins"), ("GET", "/config"), ("POST", "/config/reload")):
            answer = shared.public(method, path, None, _headers(token))
            assert (answer.status, answer.error_id) == (401, "api.context.session_expired.app_error"), (token, path)
    assert _login(shared, "wrong").status == 401
    login = shared.public("POST", "/users/login", {"login_id": "nobody-here", "password": PASSWORD})
    assert login.status in (400, 401)


def test_login_with_a_wrong_password(shared: Server, version: Tuple[int, ...]) -> None:
    shared.token()
    answer = _login(shared, "wrong")
    expected = "api.user.check_user_password.invalid.app_error"
    if version >= (5, 2):
        expected = "api.user.login.invalid_credentials_email_username"
    assert (answer.status, answer.error_id) == (401, expected)


def test_access_tokens_switched_off(deployment: Deployment) -> None:
    """The token that worked is refused; a session goes on."""
    with deployment.running() as server:
        headers = _headers(_new_token(server, "access token"))
        assert server.public("GET", "/plugins", None, headers).status == 200
    deployment.edit_service_settings(EnableUserAccessTokens=False)
    with deployment.running() as server:
        answer = server.public("GET", "/plugins", None, headers)
        assert (answer.status, answer.error_id) == (401, "api.context.session_expired.app_error")
        assert server.rest("GET", "/plugins").status == 200
        user = server.rest("GET", "/users/me").json
        made = server.rest("POST", f"/users/{user['id']}/tokens", {"description": "deployment"})
        assert made.status == 501


def test_a_session_and_a_token_survive_a_restart(deployment: Deployment) -> None:
    with deployment.running() as server:
        tokens = [_new_token(server, kind) for kind in KINDS]
    with deployment.running() as server:
        for token in tokens:
            assert server.public("GET", "/plugins", None, _headers(token)).status == 200


@pytest.mark.since(5, 20)
@pytest.mark.parametrize("kind", KINDS)
def test_settings_over_tcp(deployment: Deployment, version: Tuple[int, ...], kind: str) -> None:
    """States can be patched; EnableUploads cannot, and an answer of 200 is no proof that it was."""
    deployment.write_config(
        {"PluginSettings": {"EnableUploads": False, "PluginStates": {"a.plugin": {"Enable": True}}}}
    )
    with deployment.running() as server:
        headers = _headers(_new_token(server, kind))

        def patch(settings: Dict[str, Any]) -> Answer:
            return server.public("PUT", "/config/patch", {"PluginSettings": settings}, headers)

        def settings() -> Dict[str, Any]:
            found = server.public("GET", "/config", None, headers).json["PluginSettings"]
            assert isinstance(found, dict)
            return found

        assert patch({"PluginStates": {"b.plugin": {"Enable": True}}}).status == 200
        assert "a.plugin" not in settings()["PluginStates"], "the whole map is replaced"
        answer = patch({"EnableUploads": True, "AutomaticPrepackagedPlugins": False})
        assert answer.status == (403 if version >= (5, 33) else 200)
        assert settings()["EnableUploads"] is False
        # A refused patch changes nothing; one that is taken changes all but EnableUploads.
        assert settings()["AutomaticPrepackagedPlugins"] is (version >= (5, 33))
        assert patch({"EnableUploads": False}).status == 200, "the value that it has"


@pytest.mark.parametrize("kind", KINDS)
def test_reload_over_tcp(deployment: Deployment, version: Tuple[int, ...], kind: str) -> None:
    deployment.unpack(make_bundle(deployment.bundles, "by.hand", "1.0.0"))
    with deployment.running() as server:
        headers = _headers(_new_token(server, kind))
        if version >= (11, 0):  # deletes what was unpacked; this one comes while it runs
            deployment.unpack(make_bundle(deployment.bundles, "by.hand", "1.0.0"))
        server.wait_inactive("by.hand")
        deployment.edit_plugin_settings(PluginStates={"by.hand": {"Enable": True}})
        assert server.public("POST", "/config/reload", None, headers).status == 200
        server.wait_active("by.hand")


def test_plugin_system_off(deployment: Deployment) -> None:
    deployment.write_config({"PluginSettings": {"Enable": False}})
    with deployment.running() as server:
        for path in ("/plugins", "/plugins/webapp", *(["/plugins/statuses"] if server.version >= (5, 0) else [])):
            answer = server.rest("GET", path)
            assert (answer.status, answer.error_id) == (501, "app.plugin.disabled.app_error"), path
