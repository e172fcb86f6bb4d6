# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource "settings" on a real file and beside a server double that keeps config as Mattermost does.

The double holds what Mattermost 5.24 to 11.6 do with their configuration, as seen on real servers: GET gives the
effective values, PATCH replaces maps, EnableUploads is silently kept below 5.33, 11 masks secrets and leaves out what
is not installed, a save writes the whole stored configuration over the file, and from 6.0 the socket reloads.
"""

from __future__ import annotations

import copy
import json
import os
import stat
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._config.document import ConfigDocument, FoldedMap
from ansible_collections.plugops.mattermost.plugins.module_utils._config.source import ConfigSource, Override
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.resource import Outcome, ensure, inspect
from ansible_collections.plugops.mattermost.plugins.module_utils._core.server_version import (
    ServerVersion,
    parse_server_version,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._host.root import Root
from ansible_collections.plugops.mattermost.plugins.module_utils._server.errors import RequestRefused
from ansible_collections.plugops.mattermost.plugins.module_utils._settings import settings as settings_module
from ansible_collections.plugops.mattermost.plugins.module_utils._settings.effective import read_plugin_settings
from ansible_collections.plugops.mattermost.plugins.module_utils._settings.settings import Settings

CONFIG = "/opt/mattermost/config/config.json"
MASK = "*" * 32
SECRET = "hunter2-hunter2"

STORED: Dict[str, Any] = {
    "ServiceSettings": {"SiteURL": "http://a?b=1&c=<2>", "MaximumLoginAttempts": 10},
    "PluginSettings": {
        "Enable": True,
        "EnableUploads": False,
        "Directory": "./plugins",
        "ClientDirectory": "./client/plugins",
        "Plugins": {"com.example.a": {"token": "old-secret", "limit": 10.0}, "com.example.gone": {"key": "kept"}},
        "PluginStates": {"com.mattermost.nps": {"Enable": True}, "com.example.a": {"Enable": False}},
        "Later": {"unknown": [1, 2]},
    },
    "ClusterSettings": {"Enable": False},
}


class ServerDouble:
    """One Mattermost server's configuration, behind the calls that the resource makes."""

    where = "socket /var/tmp/mattermost_local.socket"

    def __init__(
        self,
        version: str,
        stored: Dict[str, Any],
        file: Optional[Path] = None,
        environment: Optional[Dict[str, Any]] = None,
        installed: Any = ("com.example.a",),
        secrets: Any = ("token",),
    ) -> None:
        self.kind = "socket"
        self.parsed = parse_server_version(version)
        self.stored = copy.deepcopy(stored)
        self.file = file
        self.environment = environment or {}
        self.installed = installed
        self.secrets = secrets
        self.calls: List[Any] = []
        self.watcher_after = -1  # this many requests after now it has read its file; negative: never

    def get_config(self) -> Dict[str, Any]:
        if self.watcher_after == 0:
            assert self.file is not None
            self.stored = json.loads(self.file.read_text())
        self.watcher_after -= 1
        config = copy.deepcopy(self.stored)
        section = config["PluginSettings"]
        section.setdefault("PluginStates", {}).setdefault("com.mattermost.calls", {"Enable": True})
        section.update(copy.deepcopy(self.environment))
        if self.parsed >= ServerVersion(11, 0):
            section["Plugins"] = {
                plugin_id: {k: MASK if k.lower() in self.secrets and v else v for k, v in settings.items()}
                for plugin_id, settings in section["Plugins"].items()
                if plugin_id in self.installed
            }
        return json.loads(json.dumps(config))

    def patch_config(self, patch: Dict[str, Any]) -> Dict[str, Any]:
        self.calls.append(("patch", copy.deepcopy(patch)))
        cluster = self.stored["ClusterSettings"]
        if cluster.get("Enable") and cluster.get("ReadOnlyConfig", True) and self.file:
            raise RequestRefused("PUT /config/patch", 403, "ent.cluster.save_config.error", "read-only", "via: file")
        for key, value in patch["PluginSettings"].items():
            kept = key == "EnableUploads" and self.parsed < ServerVersion(5, 33)
            if not kept and key not in self.environment and value != {}:
                self.stored["PluginSettings"][key] = copy.deepcopy(value)
        if self.file:
            self.file.write_text(json.dumps(self.stored, indent=4))
        return self.get_config()

    def reload_config(self) -> None:
        assert self.file is not None
        assert self.parsed >= ServerVersion(6, 0), "the socket has no reload"
        self.calls.append("reload")
        self.stored = json.loads(self.file.read_text())

    @property
    def names(self) -> List[str]:
        return [call if isinstance(call, str) else call[0] for call in self.calls]


class Host:
    """What the resource asks of its node, on a real directory."""

    api_only = False

    def __init__(self, tmp_path: Path, stored: Any = STORED, text: Optional[str] = None) -> None:
        self.root = Root(str(tmp_path))
        self.file = tmp_path / CONFIG.lstrip("/")
        self.file.parent.mkdir(parents=True)
        self.file.write_text(json.dumps(stored, indent=4) if text is None else text)
        self.config_source = ConfigSource("file", CONFIG, "default")
        self.server: Optional[ServerDouble] = None
        self.version: Optional[ServerVersion] = None
        self.running = False
        self.pending_restart: List[str] = []
        self.journal: List[str] = []

    def once(self, name: str, ask: Callable[[], Any]) -> Any:
        return ask()

    def start(self, version: str, socket: bool = True, **more: Any) -> ServerDouble:
        """A server that has read the file just now."""
        server = ServerDouble(version, json.loads(self.file.read_text()), self.file, **more)
        self.server = server if socket else None
        self.version = server.parsed
        self.running = True
        return server

    @property
    def socket_server(self) -> Optional[ServerDouble]:
        return self.server

    def override(self, key: str, value: Any) -> None:
        source = self.config_source
        overrides = {**source.overrides, key: Override(f"MM_PLUGINSETTINGS_{key.upper()}", value, "/etc/default/mm")}
        self.config_source = ConfigSource(source.kind, source.path, source.evidence, overrides)

    def use_database(self) -> None:
        self.config_source = ConfigSource("database", "", "MM_CONFIG=postgres://… in /etc/default/mm")
        self.file.unlink()
        if self.server:
            self.server.file = None

    @property
    def config(self) -> ConfigDocument:
        try:
            return ConfigDocument.parse(self.file.read_bytes(), CONFIG)
        except FileNotFoundError as error:
            raise OperatorError("no file", where=CONFIG) from error

    def require_restart(self, reason: str) -> None:
        if self.running:
            self.journal.append(self.file.read_text() if self.file.exists() else "")
            self.pending_restart.append(reason)

    def forget(self) -> None:
        pass

    @property
    def live_config(self) -> Optional[Dict[str, Any]]:
        return self.server.get_config() if self.server else None

    def section(self, name: str) -> FoldedMap:
        """For the filestore, which is not on this host."""
        return FoldedMap({"DriverName": "amazons3"}, name)

    @property
    def written(self) -> Dict[str, Any]:
        return json.loads(self.file.read_text())["PluginSettings"]


def settings(host: Any, via: str = "auto", **wanted: Any) -> Settings:
    keep = wanted.pop("backup", False)
    parts = [wanted.pop(name, {}) for name in ("states", "plugins")]
    return Settings(host, wanted, parts[0], parts[1], channel=via, backup=keep)


def run(host: Any, via: str = "auto", **wanted: Any) -> Outcome:
    """Check, run, check, run: the prediction holds, and the second run finds nothing."""
    predicted = ensure(settings(host, via, **wanted), check_mode=True)
    done = ensure(settings(host, via, **wanted), check_mode=False)
    assert predicted.differences.as_list() == done.differences.as_list()
    assert len(inspect(settings(host, via, **wanted)).differences) == 0
    assert len(ensure(settings(host, via, **wanted), check_mode=False).differences) == 0
    return done


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


# --- file ------------------------------------------------------------------------------------------------------------


def test_file_gets_what_is_wanted_and_keeps_the_rest_byte_for_byte(host: Host) -> None:
    before = host.file.read_text()
    done = run(host, EnableUploads=True, states={"COM.example.A": True}, plugins={"com.example.a": {"Token": SECRET}})
    expected = before.replace('"EnableUploads": false', '"EnableUploads": true').replace("old-secret", SECRET)
    expected = expected.replace(
        '"com.example.a": {\n                "Enable": false', '"com.example.a": {\n                "Enable": true'
    )
    assert host.file.read_text() == expected
    assert done.differences.names() == [
        "settings.EnableUploads",
        "settings.PluginStates.com.example.a",
        "settings.Plugins.com.example.a.Token",
    ]
    assert done.facts["via"] == "file"
    assert done.pending.restart == []


def test_no_secret_in_any_part_of_an_outcome(host: Host) -> None:
    host.start("9.10.0")
    host.override("Plugins", {"com.example.a": {"token": "environment-secret"}})
    for via in ("file", "socket"):
        wanted = {"com.example.a": {"token": SECRET}, "com.example.new": {"key": SECRET}}
        outcome = ensure(settings(host, via, plugins=wanted), check_mode=False)
        shown = repr((outcome.result(), outcome.facts, outcome.warnings))
        for secret in (SECRET, "old-secret", "environment-secret", "kept"):
            assert f"{secret}'" not in shown
        assert outcome.warnings


def test_check_mode_writes_nothing(host: Host) -> None:
    before = host.file.read_bytes(), os.stat(host.file)
    outcome = ensure(settings(host, EnableUploads=True), check_mode=True)
    assert outcome.result()["changed"]
    assert outcome.result()["diff"] == {
        "before": {"settings.EnableUploads": False},
        "after": {"settings.EnableUploads": True},
    }
    assert before == (host.file.read_bytes(), os.stat(host.file))
    assert os.listdir(host.file.parent) == ["config.json"]


def test_nothing_wanted_changes_nothing_but_reports(host: Host) -> None:
    outcome = ensure(settings(host), check_mode=False)
    assert not outcome.result()["changed"]
    assert outcome.facts["states"] == {"com.mattermost.nps": True, "com.example.a": False}
    assert outcome.facts["plugins"] == {"com.example.a": ["limit", "token"], "com.example.gone": ["key"]}
    assert outcome.facts["settings"]["EnableMarketplace"] is True


def test_file_keeps_its_mode(host: Host) -> None:
    os.chmod(host.file, 0o640)
    run(host, EnableUploads=True)
    assert stat.S_IMODE(os.stat(host.file).st_mode) == 0o640


def test_a_linked_file_stays_a_link_inside_the_root(host: Host, tmp_path: Path) -> None:
    target = tmp_path / "etc/mattermost.json"
    target.parent.mkdir()
    host.file.rename(target)
    host.file.symlink_to("/etc/mattermost.json")
    run_on_link = settings(_Linked(host, target), EnableUploads=True)
    ensure(run_on_link, check_mode=False)
    assert host.file.is_symlink()
    assert json.loads(target.read_text())["PluginSettings"]["EnableUploads"] is True


class _Linked:
    """A host whose configuration is read through a link, as a chroot would follow it."""

    def __init__(self, host: Host, target: Path) -> None:
        self._host, self._target = host, target

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    @property
    def config(self) -> ConfigDocument:
        return ConfigDocument.parse(self._target.read_bytes(), CONFIG)


def test_backup_is_the_old_file_and_named(host: Host) -> None:
    before = host.file.read_bytes()
    outcome = ensure(settings(host, EnableUploads=True, backup=True), check_mode=False)
    copy_path = outcome.facts["backup_file"]
    assert copy_path.startswith(CONFIG + ".")
    assert Path(host.root.real(copy_path)).read_bytes() == before
    again = ensure(settings(host, EnableUploads=True, backup=True), check_mode=False)
    assert "backup_file" not in again.facts
    assert len(os.listdir(host.file.parent)) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"PluginSettings": {"Enable": true, "enable": true}}'])
def test_a_broken_file_is_refused_and_left_as_it_is(tmp_path: Path, text: str) -> None:
    host = Host(tmp_path, text=text)
    with pytest.raises(OperatorError, match=CONFIG):
        ensure(settings(host, EnableUploads=True), check_mode=False)
    assert host.file.read_text() == text


def test_a_write_in_between_is_not_undone(host: Host) -> None:
    resource = settings(host, EnableUploads=True)
    found = resource.observe()
    host.file.write_text(host.file.read_text().replace('"MaximumLoginAttempts": 10', '"MaximumLoginAttempts": 11'))
    resource.apply(found, resource.compare(found))
    assert '"MaximumLoginAttempts": 11' in host.file.read_text()
    assert host.written["EnableUploads"] is True


def test_a_key_unknown_to_the_version_is_refused_before_anything(host: Host) -> None:
    host.version = parse_server_version("5.10.0")
    with pytest.raises(OperatorError, match="EnableMarketplace"):
        ensure(settings(host, EnableMarketplace=False), check_mode=True)


def test_a_database_is_refused_by_file_with_the_reason(host: Host) -> None:
    host.use_database()
    for via in ("file", "auto"):
        with pytest.raises(OperatorError, match=r"database.*MM_CONFIG=postgres.*socket"):
            inspect(settings(host, via, EnableUploads=True))


# --- file, while a server runs ---------------------------------------------------------------------------------------


def test_to_5_37_the_watcher_takes_it_over(host: Host) -> None:
    host.start("5.32.1")
    done = run(host, EnableUploads=True)
    assert done.facts["via"] == "file"
    assert host.pending_restart == []


@pytest.mark.parametrize("version", ["6.7.2", "9.10.0", "11.6.0"])
def test_from_6_0_edit_and_reload_belong_together(host: Host, version: str) -> None:
    server = host.start(version)
    done = run(host, "file", EnableUploads=True, plugins={"com.example.a": {"token": SECRET}})
    assert server.names == ["reload"]
    assert server.stored["PluginSettings"]["EnableUploads"] is True
    assert (done.pending.reload, host.pending_restart) == ([], [])


@pytest.mark.parametrize(("version", "socket"), [("5.38.0", True), ("5.39.0", False), ("9.10.0", False)])
def test_a_server_that_cannot_be_told_has_a_pending_restart_before_the_edit(
    host: Host, version: str, socket: bool
) -> None:
    before = host.file.read_text()
    host.start(version, socket=socket)
    ensure(settings(host, "file", EnableUploads=True), check_mode=False)
    assert len(host.pending_restart) == 1
    assert host.journal == [before], "the note must come before the change"


def test_a_running_server_of_unknown_version_has_a_pending_restart(host: Host) -> None:
    host.running = True
    ensure(settings(host, EnableUploads=True), check_mode=False)
    assert len(host.pending_restart) == 1


@pytest.mark.parametrize(("version", "via"), [("5.30.0", "file"), ("9.10.0", "file"), ("9.10.0", "socket")])
def test_directories_always_need_a_restart(host: Host, version: str, via: str) -> None:
    before = host.file.read_text()
    host.start(version)
    ensure(settings(host, via, Directory="/srv/plugins", ClientDirectory="./client/plugins"), check_mode=False)
    assert host.pending_restart == ["PluginSettings.Directory changed from ./plugins to /srv/plugins"]
    assert host.journal == [before]


def test_writing_the_default_directory_down_needs_no_restart(tmp_path: Path) -> None:
    host = Host(tmp_path, stored={"PluginSettings": {}})
    host.start("5.30.0")
    run(host, "file", Directory="./plugins")
    assert host.written["Directory"] == "./plugins"
    assert host.pending_restart == []


def test_an_edit_that_the_server_has_not_read_is_pending_by_its_actual_state(host: Host) -> None:
    host.start("9.10.0")
    host.file.write_text(
        host.file.read_text()
        .replace('"EnableUploads": false', '"EnableUploads": true')
        .replace("old-secret", "edited-secret")
    )
    outcome = inspect(settings(host))
    assert len(outcome.pending.reload) == 1
    assert outcome.pending.reload[0].endswith("settings.EnableUploads, settings.Plugins.com.example.a.token")
    assert "edited-secret" not in outcome.pending.reload[0]
    assert host.server is not None
    host.server.reload_config()
    assert inspect(settings(host)).pending.reload == []


@pytest.mark.parametrize(
    ("version", "reload", "restart"), [("5.37.0", 0, 0), ("5.38.0", 0, 1), ("6.0.0", 1, 0), ("11.6.0", 1, 0)]
)
def test_what_is_pending_after_an_edit_by_version(host: Host, version: str, reload: int, restart: int) -> None:
    host.start(version)
    host.file.write_text(host.file.read_text().replace('"EnableUploads": false', '"EnableUploads": true'))
    pending = inspect(settings(host, "file")).pending
    assert (len(pending.reload), len(pending.restart)) == (reload, restart)


def test_what_the_server_hides_or_the_environment_decides_is_not_pending(host: Host) -> None:
    host.start("11.6.0", environment={"EnableUploads": True})
    host.override("EnableUploads", True)
    assert inspect(settings(host)).pending.reload == []


# --- socket ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "via"), [("5.24.0", "file"), ("5.32.1", "file"), ("5.33.0", "socket"), ("11.6.0", "socket")]
)
def test_auto_takes_the_socket_from_5_33(host: Host, version: str, via: str) -> None:
    host.start(version)
    assert inspect(settings(host)).facts["via"] == via


@pytest.mark.parametrize("version", ["5.36.1", "6.7.2", "9.10.0", "11.6.0"])
def test_socket_merges_the_maps_that_a_patch_replaces(host: Host, version: str) -> None:
    server = host.start(version)
    done = run(
        host,
        EnableUploads=True,
        states={"com.example.a": True, "com.example.new": True},
        plugins={"com.example.a": {"TOKEN": SECRET}, "com.example.new": {"k": [True]}},
    )
    section = server.stored["PluginSettings"]
    assert section["EnableUploads"] is True
    assert section["PluginStates"] == {
        "com.mattermost.nps": {"Enable": True},
        "com.mattermost.calls": {"Enable": True},
        "com.example.a": {"Enable": True},
        "com.example.new": {"Enable": True},
    }
    assert section["Plugins"] == {
        "com.example.a": {"token": SECRET, "limit": 10.0},
        "com.example.gone": {"key": "kept"},
        "com.example.new": {"k": [True]},
    }
    assert section["Later"] == {"unknown": [1, 2]}
    assert done.facts["via"] == "socket"
    assert done.pending.reload == []


def test_socket_sends_only_what_changes(host: Host) -> None:
    server = host.start("9.10.0")
    run(host, EnableUploads=True)
    assert ("patch", {"PluginSettings": {"EnableUploads": True}}) in server.calls
    assert server.names.count("patch") == 1


def test_a_patch_never_carries_a_mask(host: Host) -> None:
    server = host.start("11.6.0")
    run(host, plugins={"com.example.new": {"k": 1}})
    assert MASK not in repr(server.calls)
    assert server.stored["PluginSettings"]["Plugins"]["com.example.a"]["token"] == "old-secret"


def test_a_masked_value_that_is_right_already_is_no_difference(host: Host) -> None:
    server = host.start("11.6.0")
    assert len(run(host, plugins={"com.example.a": {"token": "old-secret"}}).differences) == 0
    assert server.calls == []


def test_without_the_file_masked_secrets_are_refused_by_name(host: Host) -> None:
    host.start("11.6.0")
    host.use_database()
    with pytest.raises(OperatorError, match=r"masks secrets.*com\.example\.a\.token") as caught:
        inspect(settings(host, plugins={"com.example.a": {"limit": 11, "token": SECRET}}))
    assert SECRET not in str(caught.value)
    # What does not touch the map is done all the same.
    assert len(ensure(settings(host, states={"com.example.a": True}), check_mode=False).differences) == 1


def test_without_the_file_a_map_that_the_server_shortens_is_refused(host: Host) -> None:
    host.start("11.6.0", secrets=())
    host.use_database()
    with pytest.raises(OperatorError, match="not installed"):
        inspect(settings(host, plugins={"com.example.a": {"limit": 11}}))


def test_a_database_is_changed_through_the_socket(host: Host) -> None:
    server = host.start("9.10.0")
    host.use_database()
    run(host, EnableUploads=True, plugins={"com.example.a": {"token": SECRET}})
    assert server.stored["PluginSettings"]["Plugins"]["com.example.gone"] == {"key": "kept"}
    assert server.stored["PluginSettings"]["Plugins"]["com.example.a"]["token"] == SECRET
    assert "reload" not in server.names


def test_an_edit_that_the_server_has_not_read_survives_the_servers_save(host: Host) -> None:
    server = host.start("9.10.0")
    host.file.write_text(host.file.read_text().replace('"MaximumLoginAttempts": 10', '"MaximumLoginAttempts": 11'))
    run(host, "socket", EnableUploads=True)
    assert json.loads(host.file.read_text())["ServiceSettings"]["MaximumLoginAttempts"] == 11
    assert server.names == ["reload", "patch"]


@pytest.mark.parametrize("version", ["5.36.1", "5.38.0"])
def test_where_the_server_cannot_reload_an_unread_edit_is_not_written_over(
    host: Host, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_module, "_WATCHER_SECONDS", 0.3)  # here: switched off by --disableconfigwatch
    server = host.start(version)
    host.file.write_text(host.file.read_text().replace('"Enable": true', '"Enable": false', 1))
    with pytest.raises(OperatorError, match=r"has not read.*settings\.Enable"):
        ensure(settings(host, "socket", EnableUploads=True), check_mode=False)
    assert server.calls == []


def test_to_5_37_the_watcher_is_waited_for_before_the_server_saves(host: Host) -> None:
    server = host.start("5.36.1")
    host.file.write_text(host.file.read_text().replace('"EnableUploads": false', '"EnableUploads": true'))
    server.watcher_after = 3
    ensure(settings(host, "socket", states={"com.example.a": True}), check_mode=False)
    assert host.written["EnableUploads"] is True
    assert host.written["PluginStates"]["com.example.a"] == {"Enable": True}


def test_socket_refuses_uploads_before_5_33_and_does_the_rest(host: Host) -> None:
    host.start("5.30.0")
    with pytest.raises(OperatorError, match=r"EnableUploads.*5\.30\.0.*via: file"):
        inspect(settings(host, "socket", EnableUploads=True))
    run(host, "socket", states={"com.example.a": True}, EnableUploads=False)
    assert host.written["PluginStates"]["com.example.a"] == {"Enable": True}


def test_socket_without_a_server_is_refused(host: Host) -> None:
    with pytest.raises(OperatorError, match=r"via: socket needs.*EnableLocalMode"):
        inspect(settings(host, "socket", EnableUploads=True))


def test_a_read_only_cluster_is_edited_by_file_unless_the_socket_is_requested(tmp_path: Path) -> None:
    host = Host(tmp_path, stored={**STORED, "ClusterSettings": {"Enable": True}})
    server = host.start("9.10.0")
    with pytest.raises(RequestRefused, match="via: file"):
        ensure(settings(host, "socket", EnableUploads=True), check_mode=False)
    server.calls.clear()
    assert run(host, EnableUploads=True).facts["via"] == "file"
    assert server.names == ["reload"]


def test_a_writable_cluster_takes_the_socket(tmp_path: Path) -> None:
    host = Host(tmp_path, stored={**STORED, "ClusterSettings": {"Enable": True, "ReadOnlyConfig": False}})
    host.start("9.10.0")
    assert run(host, EnableUploads=True).facts["via"] == "socket"


def test_a_value_that_the_server_silently_keeps_is_an_error(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    server = host.start("9.10.0")
    monkeypatch.setattr(server, "patch_config", lambda patch: server.get_config())
    with pytest.raises(OperatorError, match=r"kept the old value: settings\.EnableUploads.*via: file"):
        ensure(settings(host, EnableUploads=True), check_mode=False)


# --- the environment -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("via", ["file", "socket"])
def test_an_override_that_masks_a_wanted_value_is_reported(host: Host, via: str) -> None:
    environment = {"EnableUploads": False, "PluginStates": {"com.example.a": {"Enable": True}}}
    for key, value in environment.items():
        host.override(key, value)
    host.start("9.10.0", environment=environment)
    states = {"com.example.a": True, "com.example.b": True, "com.example.c": False}
    outcome = run(host, via, EnableUploads=True, RequirePluginSignature=True, states=states)
    assert len(outcome.warnings) == 2
    assert outcome.warnings[0].startswith(
        "MM_PLUGINSETTINGS_ENABLEUPLOADS in /etc/default/mm overrides PluginSettings.EnableUploads, so this is not "
        "in effect: wanted True, found False."
    )
    assert "not in effect: com.example.b enabled." in outcome.warnings[1]
    assert [item["variable"] for item in outcome.facts["overridden"]] == [
        "MM_PLUGINSETTINGS_ENABLEUPLOADS",
        "MM_PLUGINSETTINGS_PLUGINSTATES",
    ]
    assert outcome.facts["settings"]["EnableUploads"] is False
    assert host.written["RequirePluginSignature"] is True


def test_an_override_that_agrees_says_nothing(host: Host) -> None:
    host.override("EnableUploads", True)
    host.override("Plugins", {"Com.Example.A": {"TOKEN": SECRET}})
    outcome = run(host, EnableUploads=True, plugins={"com.example.a": {"token": SECRET}})
    assert outcome.warnings == []
    assert outcome.facts["settings"]["EnableUploads"] is True


def test_an_override_means_nothing_before_5_2(host: Host) -> None:
    host.override("EnableUploads", False)
    host.version = parse_server_version("4.6.0")
    outcome = run(host, EnableUploads=True)
    assert outcome.warnings == []
    assert outcome.facts["overridden"] == []
    assert outcome.facts["settings"]["EnableUploads"] is True


# --- read_plugin_settings --------------------------------------------------------------------------------------------


def test_read_plugin_settings_is_effective(host: Any) -> None:
    host.override("Directory", "/srv/plugins")
    found = read_plugin_settings(host)
    assert found["Directory"] == "/srv/plugins"
    assert found["ClientDirectory"] == "./client/plugins"
    assert found["PluginStates"] == STORED["PluginSettings"]["PluginStates"]
    assert found["EnableHealthCheck"] is True


def test_read_plugin_settings_of_a_database_comes_from_the_server(host: Any) -> None:
    host.start("9.10.0")
    host.use_database()
    assert read_plugin_settings(host)["Directory"] == "./plugins"
    host.server = None
    with pytest.raises(OperatorError):
        read_plugin_settings(host)
