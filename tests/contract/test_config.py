# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""config.json: which one is read, how it is rewritten, what overrides it, when a change of it counts."""

from __future__ import annotations

import json
import stat
from typing import Any, Dict, Set, Tuple

import pytest

from plugops_tests.servers.deployment import Deployment, Server
from plugops_tests.support.bundles import make_bundle

pytestmark = pytest.mark.contract

STATE_ON = {"Enable": True}


def _plugin_settings(server: Server) -> Dict[str, Any]:
    answer = server.admin("GET", "/config")
    assert answer.status == 200
    settings = answer.json["PluginSettings"]
    assert isinstance(settings, dict)
    return settings


# -- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_server_rewrites_its_file(deployment: Deployment, version: Tuple[int, ...], mode: int) -> None:
    deployment.write_config({"NoSuchSettings": {"Key": 1}, "PluginSettings": {"NoSuchKey": 1}})
    deployment.config_path.chmod(mode)
    with deployment.running():
        pass
    text = deployment.config_path.read_text()
    config = json.loads(text)
    settings = config["PluginSettings"]
    assert text.startswith('{\n    "ServiceSettings": {\n        "'), "four blanks"
    assert stat.S_IMODE(deployment.config_path.stat().st_mode) == mode
    assert "NoSuchSettings" not in config
    assert "NoSuchKey" not in settings
    assert settings["Directory"] == "./plugins"
    assert settings["ClientDirectory"] == "./client/plugins"
    assert settings["Plugins"] in ({}, None) or "jira" in settings["Plugins"]
    since = {
        "EnableHealthCheck": (5, 12),
        "RequirePluginSignature": (5, 18),
        "AutomaticPrepackagedPlugins": (5, 20),
        "MarketplaceURL": (6, 0),
        "AllowInsecureDownloadURL": (6, 0),
    }
    assert {key: key in settings for key in since} == {key: version >= first for key, first in since.items()}
    assert ("MarketplaceUrl" in settings) == ((5, 16) <= version < (6, 0))


def test_seeded_states(deployment: Deployment, version: Tuple[int, ...]) -> None:
    with deployment.running():
        pass
    states = deployment.read_config()["PluginSettings"]["PluginStates"]
    seeds: Dict[Tuple[int, ...], Set[str]] = {
        (4, 6): {"jira"},
        (5, 36): {"com.mattermost.nps"},
        (6, 7): {"com.mattermost.apps", "com.mattermost.nps", "focalboard", "playbooks"},
        (9, 10): {"com.mattermost.calls", "com.mattermost.nps", "playbooks"},
        (11, 6): {"com.mattermost.calls", "com.mattermost.nps", "mattermost-ai", "playbooks"},
    }
    if version[:2] not in seeds:
        pytest.skip(f"the ids that {version[0]}.{version[1]} seeds are not known for certain")
    assert set(states) == seeds[version[:2]]
    if "com.mattermost.nps" in states:
        assert states["com.mattermost.nps"] == {"Enable": False}, "follows EnableDiagnostics"


def test_keys_are_read_in_any_case(deployment: Deployment) -> None:
    config = json.loads(deployment.config_path.read_text())
    settings = config.pop("PluginSettings")
    del settings["EnableUploads"]
    config["pluginsettings"] = {**settings, "enableuploads": True, "PLUGINSTATES": {"some.plugin": {"enable": True}}}
    deployment.config_path.write_text(json.dumps(config))
    with deployment.running() as server:
        found = _plugin_settings(server)
    assert found["EnableUploads"] is True
    assert found["PluginStates"]["some.plugin"] == STATE_ON


def test_config_option_selects_the_file(deployment: Deployment) -> None:
    other = deployment.write_config(
        {"PluginSettings": {"EnableUploads": False, "PluginStates": {"from.other": STATE_ON}}},
        deployment.install / "config" / "other.json",
    )
    before = deployment.config_path.read_bytes()
    with deployment.running(arguments=["-c", str(other)], config_path=other) as server:
        assert "from.other" in _plugin_settings(server)["PluginStates"]
    assert deployment.config_path.read_bytes() == before


@pytest.mark.since(5, 10)
def test_mm_config_selects_the_file_and_the_option_wins(deployment: Deployment) -> None:
    folder = deployment.install / "config"
    for name in ("variable", "option"):
        states = {"PluginSettings": {"PluginStates": {f"from.{name}": STATE_ON}}}
        deployment.write_config(states, folder / f"{name}.json")
    environment = {"MM_CONFIG": "variable.json"}  # a relative name is looked for in config/
    with deployment.running(env=environment, config_path=folder / "variable.json") as server:
        assert "from.variable" in _plugin_settings(server)["PluginStates"]
    option = folder / "option.json"
    with deployment.running(env=environment, arguments=["--config", str(option)], config_path=option) as server:
        assert "from.option" in _plugin_settings(server)["PluginStates"]


@pytest.mark.before(5, 10)
def test_mm_config_means_nothing_to_old_servers(deployment: Deployment) -> None:
    with deployment.running(env={"MM_CONFIG": "/no/such/file.json"}) as server:
        assert _plugin_settings(server)["EnableUploads"] is True


@pytest.mark.before(5, 38)
def test_file_replaced_by_rename_is_picked_up(deployment: Deployment) -> None:
    with deployment.running() as server:
        deployment.edit_plugin_settings(PluginStates={"some.plugin": STATE_ON})
        server.wait_for(
            lambda: "some.plugin" in _plugin_settings(server)["PluginStates"], "the edit to be seen", timeout=5
        )
        assert server.find_log("Config file watcher detected a change")


@pytest.mark.since(5, 36)
def test_empty_file_means_all_defaults(deployment: Deployment, version: Tuple[int, ...]) -> None:
    """A watching server that reads between the truncation and the write of an edit in place loses everything so."""
    deployment.edit_plugin_settings(PluginStates={"some.plugin": STATE_ON})
    with deployment.running() as server:
        deployment.replace_config("")
        if version >= (5, 38):
            assert server.local("POST", "/config/reload").status == 200
        server.wait_for(lambda: deployment.config_path.stat().st_size > 0, "the file to be written anew")
        server.wait_for(lambda: "some.plugin" not in _plugin_settings(server)["PluginStates"], "the defaults")
    config = deployment.read_config()
    assert config["ServiceSettings"]["ListenAddress"] == ":8065"
    assert config["PluginSettings"]["EnableUploads"] is False


@pytest.mark.since(6, 0)
def test_edit_counts_after_reload_only(deployment: Deployment) -> None:
    with deployment.running() as server:
        deployment.edit_plugin_settings(PluginStates={"some.plugin": STATE_ON})
        assert "some.plugin" not in _plugin_settings(server)["PluginStates"]
        assert server.local("POST", "/config/reload").status == 200
        assert "some.plugin" in _plugin_settings(server)["PluginStates"]


@pytest.mark.since(6, 0)
def test_a_save_overwrites_an_edit_that_was_not_reloaded(deployment: Deployment) -> None:
    with deployment.running() as server:
        deployment.edit_plugin_settings(PluginStates={"some.plugin": STATE_ON})
        patch = {"TeamSettings": {"SiteName": "Saved"}}
        assert server.local("PUT", "/config/patch", patch).status == 200
    config = deployment.read_config()
    assert config["TeamSettings"]["SiteName"] == "Saved"
    assert "some.plugin" not in config["PluginSettings"]["PluginStates"]


@pytest.mark.since(5, 24)
def test_routes_of_the_socket(deployment: Deployment, version: Tuple[int, ...]) -> None:
    with deployment.running() as server:
        assert server.local("GET", "/config").status == 200
        assert server.local("GET", "/plugins").status == 200
        for path in ("/plugins/statuses", "/plugins/webapp", "/config/environment"):
            assert server.local("GET", path).status == 404, path
        assert server.local("POST", "/config/reload").status == (200 if version >= (6, 0) else 404)


def test_broken_file_does_not_reach_the_running_server(deployment: Deployment) -> None:
    with deployment.running() as server:
        deployment.replace_config("{")
        if server.version >= (5, 38):
            assert server.rest("POST", "/config/reload").status >= 400
        else:
            server.wait_log("Config file watcher detected a change")
        assert _plugin_settings(server)["EnableUploads"] is True


# -- environment -----------------------------------------------------------------------------------------------------


@pytest.mark.since(5, 2)
def test_environment_overrides_scalars(deployment: Deployment, version: Tuple[int, ...]) -> None:
    environment = {"MM_PLUGINSETTINGS_ENABLEUPLOADS": "0"}
    if version >= (5, 30):
        environment["MM_PLUGINSETTINGS_ENABLEHEALTHCHECK"] = "perhaps"
    with deployment.running(env=environment) as server:
        settings = _plugin_settings(server)
        assert settings["EnableUploads"] is False
        assert settings.get("EnableHealthCheck", True) is True, "what cannot be parsed is ignored"
        assert server.rest("GET", "/config/environment").json["PluginSettings"]["EnableUploads"] is True
    assert deployment.read_config()["PluginSettings"]["EnableUploads"] is True, "the file keeps its own value"


@pytest.mark.before(5, 2)
def test_old_servers_do_not_apply_the_environment_to_plugin_settings(deployment: Deployment) -> None:
    environment = {"MM_PLUGINSETTINGS_ENABLEUPLOADS": "false", "MM_TEAMSETTINGS_SITENAME": "FromEnvironment"}
    with deployment.running(env=environment) as server:
        assert _plugin_settings(server)["EnableUploads"] is True
        assert server.rest("GET", "/config").json["TeamSettings"]["SiteName"] == "FromEnvironment"


@pytest.mark.since(5, 20)
def test_write_to_an_overridden_key_answers_200_and_changes_nothing(deployment: Deployment) -> None:
    with deployment.running(env={"MM_PLUGINSETTINGS_AUTOMATICPREPACKAGEDPLUGINS": "false"}) as server:
        for value in (True, False):
            patch = {"PluginSettings": {"AutomaticPrepackagedPlugins": value}}
            assert server.admin("PUT", "/config/patch", patch).status == 200
            assert _plugin_settings(server)["AutomaticPrepackagedPlugins"] is False
    assert deployment.read_config()["PluginSettings"]["AutomaticPrepackagedPlugins"] is True


@pytest.mark.since(5, 2)
@pytest.mark.before(5, 30)
@pytest.mark.parametrize("name", ["ENABLEHEALTHCHECK", "PLUGINSTATES"])
def test_environment_that_keeps_the_server_from_starting(
    deployment: Deployment, version: Tuple[int, ...], name: str
) -> None:
    """What cannot be parsed, and any value of a map."""
    if name == "ENABLEHEALTHCHECK" and version < (5, 12):
        pytest.skip("for servers since 5.12")
    value = "perhaps" if name == "ENABLEHEALTHCHECK" else json.dumps({"a.plugin": STATE_ON})
    server = deployment.server(env={f"MM_PLUGINSETTINGS_{name}": value})
    server.start()
    try:
        assert server.wait_ended() != 0
        assert "failed to unmarshal config with env overrides" in server.output()
    finally:
        server.clean_up()


@pytest.mark.since(5, 30)
def test_map_in_the_environment(deployment: Deployment, version: Tuple[int, ...]) -> None:
    deployment.edit_plugin_settings(PluginStates={"in.file": STATE_ON})
    value = {"a.plugin": STATE_ON}
    with deployment.running(env={"MM_PLUGINSETTINGS_PLUGINSTATES": json.dumps(value)}) as server:
        states = _plugin_settings(server)["PluginStates"]
        if version >= (7, 5):
            assert states == value, "the whole map, seeds included, is replaced"
            patch = {"PluginSettings": {"PluginStates": {"b.plugin": STATE_ON}}}
            assert server.local("PUT", "/config/patch", patch).status == 200
            assert _plugin_settings(server)["PluginStates"] == value
        else:
            assert "in.file" in states
            assert "a.plugin" not in states
    assert "a.plugin" not in deployment.read_config()["PluginSettings"]["PluginStates"]
    assert "b.plugin" not in deployment.read_config()["PluginSettings"]["PluginStates"]


# -- API -------------------------------------------------------------------------------------------------------------


@pytest.mark.since(5, 20)
def test_patch_replaces_whole_maps(deployment: Deployment) -> None:
    deployment.edit_plugin_settings(PluginStates={"a.plugin": STATE_ON}, Plugins={"a.plugin": {"key": "value"}})
    with deployment.running() as server:
        seeds = set(_plugin_settings(server)["PluginStates"]) - {"a.plugin"}
        patch = {"PluginSettings": {"PluginStates": {"b.plugin": STATE_ON}}}
        assert server.admin("PUT", "/config/patch", patch).status == 200
        assert set(_plugin_settings(server)["PluginStates"]) == seeds | {"b.plugin"}
        settings = {"PluginSettings": {"Plugins": {"b.plugin": {"key": "value"}}}}
        assert server.admin("PUT", "/config/patch", settings).status == 200
    assert deployment.read_config()["PluginSettings"]["Plugins"] == {"b.plugin": {"key": "value"}}


@pytest.mark.since(5, 20)
def test_empty_plugins_in_a_patch(deployment: Deployment, version: Tuple[int, ...]) -> None:
    deployment.edit_plugin_settings(Plugins={"a.plugin": {"key": "value"}})
    with deployment.running() as server:
        assert server.admin("PUT", "/config/patch", {"PluginSettings": {"Plugins": {}}}).status == 200
    if (9, 11) <= version < (11, 0):
        pytest.skip("which 10.x began to ignore an empty map is not known")
    kept = {"a.plugin": {"key": "value"}} if version >= (11, 0) else {}
    assert deployment.read_config()["PluginSettings"]["Plugins"] == kept


@pytest.mark.before(11, 0)
def test_settings_of_missing_plugins_are_shown(deployment: Deployment) -> None:
    deployment.edit_plugin_settings(Plugins={"a.plugin": {"key": "value"}})
    with deployment.running() as server:
        assert _plugin_settings(server)["Plugins"]["a.plugin"] == {"key": "value"}


@pytest.mark.since(11, 0)
def test_settings_of_missing_plugins_are_not_shown(deployment: Deployment) -> None:
    deployment.edit_plugin_settings(Plugins={"a.plugin": {"key": "value"}})
    with deployment.running() as server:
        assert "a.plugin" not in _plugin_settings(server)["Plugins"]
    assert deployment.read_config()["PluginSettings"]["Plugins"] == {"a.plugin": {"key": "value"}}


def test_secrets_are_masked(deployment: Deployment) -> None:
    with deployment.running() as server:
        shown = server.admin("GET", "/config").json["SqlSettings"]
        assert set(shown["AtRestEncryptKey"]) == {"*"}
        # A client that sends the mask back does not store it.
        config = server.rest("GET", "/config").json
        key = deployment.read_config()["SqlSettings"]["AtRestEncryptKey"]
        assert server.rest("PUT", "/config", config).status == 200
    assert deployment.read_config()["SqlSettings"]["AtRestEncryptKey"] == key
    assert len(key) == 32


def test_enable_uploads_by_rest_put(deployment: Deployment, version: Tuple[int, ...]) -> None:
    deployment.write_config({"PluginSettings": {"EnableUploads": False}})
    with deployment.running() as server:
        config = server.rest("GET", "/config").json
        config["PluginSettings"]["EnableUploads"] = True
        assert server.rest("PUT", "/config", config).status == 200
        assert _plugin_settings(server)["EnableUploads"] is (version < (4, 8))


@pytest.mark.since(5, 20)
def test_enable_uploads_by_rest_patch(deployment: Deployment, version: Tuple[int, ...]) -> None:
    deployment.write_config({"PluginSettings": {"EnableUploads": False}})
    with deployment.running() as server:
        answer = server.rest("PUT", "/config/patch", {"PluginSettings": {"EnableUploads": True}})
        if version >= (5, 33):
            assert answer.status == 403
            assert answer.error_id == "api.config.update_config.not_allowed_security.app_error"
            words = "Changing PluginSettings.EnableUploads is not allowed due to security reasons."
            assert answer.json["message"] == words
        else:
            assert answer.status == 200
        assert _plugin_settings(server)["EnableUploads"] is False


@pytest.mark.since(5, 24)
def test_enable_uploads_by_socket(deployment: Deployment, version: Tuple[int, ...]) -> None:
    deployment.write_config({"PluginSettings": {"EnableUploads": False}})
    with deployment.running() as server:
        config = server.local("GET", "/config").json
        config["PluginSettings"]["EnableUploads"] = True
        assert server.local("PUT", "/config", config).status == 200
        if version < (9, 11) or version >= (11, 0):
            assert _plugin_settings(server)["EnableUploads"] is (version >= (11, 0))
        assert server.local("PUT", "/config/patch", {"PluginSettings": {"EnableUploads": True}}).status == 200
        assert _plugin_settings(server)["EnableUploads"] is (version >= (5, 33))


@pytest.mark.since(5, 10)
def test_restricted_admin_cannot_change_directories(deployment: Deployment) -> None:
    deployment.write_config({"ExperimentalSettings": {"RestrictSystemAdmin": True}})
    with deployment.running() as server:
        config = server.rest("GET", "/config").json
        config["PluginSettings"].update(Directory="./other", PluginStates={"some.plugin": STATE_ON})
        assert server.rest("PUT", "/config", config).status == 200
        settings = _plugin_settings(server)
        assert settings["Directory"] == "./plugins"
        assert settings["PluginStates"]["some.plugin"] == STATE_ON


def test_read_only_configuration_of_a_cluster(deployment: Deployment) -> None:
    deployment.write_config({"ClusterSettings": {"Enable": True, "ReadOnlyConfig": True}})
    with deployment.running() as server:
        config = server.rest("GET", "/config").json
        answer = server.rest("PUT", "/config", config)
        assert (answer.status, answer.error_id) == (403, "ent.cluster.save_config.error")


def test_session_is_required(deployment: Deployment) -> None:
    with deployment.running() as server:
        assert server.public("GET", "/config").status == 401
        assert server.public("GET", "/plugins").status == 401
        assert server.public("POST", "/plugins").status == 401
        assert server.public("GET", "/plugins/webapp").status == 200


def test_access_token(deployment: Deployment) -> None:
    with deployment.running() as server:
        user = server.rest("GET", "/users/me").json
        assert "system_admin" in user["roles"].split()
        made = server.rest("POST", f"/users/{user['id']}/tokens", {"description": "test"})
        assert made.status in (200, 201)
        headers = {"Authorization": f"Bearer {made.json['token']}"}
        assert server.public("GET", "/plugins", None, headers).status == 200


def test_file_made_by_the_server(deployment: Deployment, version: Tuple[int, ...]) -> None:
    """A missing file is made with defaults from 5.10 on. Its mode was narrowed in 5.28, and is wide again in 9.10."""
    if version < (5, 10):
        pytest.skip("for servers since 5.10")
    sections = deployment.read_config()
    listen, source = sections["ServiceSettings"]["ListenAddress"], sections["SqlSettings"]["DataSource"]
    environment = {
        "MM_SERVICESETTINGS_LISTENADDRESS": listen,
        "MM_SQLSETTINGS_DRIVERNAME": "postgres",
        "MM_SQLSETTINGS_DATASOURCE": source,
        "MM_SERVICESETTINGS_ENABLESECURITYFIXALERT": "false",
        "MM_LOGSETTINGS_ENABLEDIAGNOSTICS": "false",
        "MM_ANNOUNCEMENTSETTINGS_ADMINNOTICESENABLED": "false",
        "MM_ANNOUNCEMENTSETTINGS_USERNOTICESENABLED": "false",
        "MM_PLUGINSETTINGS_ENABLEREMOTEMARKETPLACE": "false",
        "MM_JOBSETTINGS_RUNJOBS": "false",
        "MM_JOBSETTINGS_RUNSCHEDULER": "false",
    }
    deployment.edit_service_settings(EnableLocalMode=False)
    made = deployment.install / "config" / "made.json"
    with deployment.running(env={**environment, "MM_CONFIG": "made.json"}):
        if not (6, 0) <= version < (9, 10):
            expected = 0o600 if (5, 28) <= version < (6, 0) else 0o644
            assert stat.S_IMODE(made.stat().st_mode) == expected
        assert json.loads(made.read_text())["PluginSettings"]["EnableUploads"] is False


@pytest.mark.since(5, 18)
def test_list_in_the_environment_is_split_at_blanks(deployment: Deployment) -> None:
    with deployment.running(env={"MM_PLUGINSETTINGS_SIGNATUREPUBLICKEYFILES": "one.gpg two.gpg"}) as server:
        assert _plugin_settings(server)["SignaturePublicKeyFiles"] == ["one.gpg", "two.gpg"]


@pytest.mark.since(5, 10)
def test_restricted_admin_cannot_reload(deployment: Deployment, version: Tuple[int, ...]) -> None:
    deployment.write_config({"ExperimentalSettings": {"RestrictSystemAdmin": True}})
    with deployment.running() as server:
        assert server.rest("POST", "/config/reload").status == (403 if version >= (11, 0) else 400)
        if version >= (6, 0):
            assert server.local("POST", "/config/reload").status == 200, "the socket is not restricted"


def test_other_users_may_not(deployment: Deployment) -> None:
    with deployment.running() as server:
        user = {"username": "other", "email": "other@example.com", "password": "Contract-Passw0rd"}
        assert server.rest("POST", "/users", user).status == 201
        login = server.public("POST", "/users/login", {"login_id": "other", "password": user["password"]})
        headers = {"Authorization": f"Bearer {login.headers['Token']}"}
        word = "enable" if server.version >= (5, 2) else "activate"
        for method, path in (("GET", ""), ("POST", f"/some.plugin/{word}"), ("DELETE", "/some.plugin")):
            assert server.public(method, f"/plugins{path}", None, headers).status == 403, path


def test_secret_settings_are_masked(deployment: Deployment, version: Tuple[int, ...]) -> None:
    schema = {"settings_schema": {"settings": [{"key": "Token", "type": "text", "secret": True}]}}
    deployment.edit_plugin_settings(Plugins={"has.secret": {"token": "hidden", "open": "shown"}})
    with deployment.running() as server:
        assert (
            server.upload(make_bundle(deployment.bundles, "has.secret", "1.0.0", extra_manifest=schema)).status == 201
        )
        shown = _plugin_settings(server)["Plugins"]["has.secret"]
        assert shown["open"] == "shown"
        if version >= (10, 1):
            assert set(shown["token"]) == {"*"}
        else:
            assert shown["token"] == "hidden"
    assert deployment.read_config()["PluginSettings"]["Plugins"]["has.secret"]["token"] == "hidden"


def test_case_of_plugin_ids_in_the_file(deployment: Deployment, version: Tuple[int, ...]) -> None:
    deployment.edit_plugin_settings(PluginStates={"Some.Plugin": STATE_ON})
    with deployment.running() as server:
        expected = "Some.Plugin" if version >= (5, 30) else "some.plugin"
        assert _plugin_settings(server)["PluginStates"][expected] == STATE_ON
