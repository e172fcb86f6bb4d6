# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which configuration a server reads: every place that can say so, by version, on real directories."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._config.source import (
    ConfigSource,
    Override,
    find_config_source,
    is_true,
    server_environment,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._core.server_version import (
    ServerVersion,
    parse_server_version,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._host.root import Root
from ansible_collections.plugops.mattermost.plugins.module_utils._services.systemd_unit import Service

UNIT = "/etc/systemd/system/mattermost.service"
ENVIRONMENT_FILE = "/etc/default/mattermost"
INSTALL = "/opt/mattermost"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """An image with an install directory as the release makes it."""
    for directory in ("opt/mattermost/bin", "opt/mattermost/config", "etc"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "opt/mattermost/bin/mattermost").write_text("")
    (tmp_path / "opt/mattermost/config/config.json").write_text("{}")
    return tmp_path


def service(*arguments: str, environment: Optional[Dict[str, str]] = None, **more: Any) -> Service:
    command = more.pop("command", ("/opt/mattermost/bin/mattermost",))
    variables = environment or {}
    return Service(
        name="mattermost.service",
        exec_start=(*command, *arguments),
        environment=variables,
        environment_origin=more.pop("origin", dict.fromkeys(variables, ENVIRONMENT_FILE)),
        fragment=UNIT,
        **more,
    )


def find(host: Path, of: Service, version: Optional[str] = None, cwd: str = INSTALL) -> ConfigSource:
    parsed: Optional[ServerVersion] = parse_server_version(version) if version else None
    return find_config_source(of, INSTALL, cwd, Root(str(host)), parsed)


# --- what is named ---------------------------------------------------------------------------------------------------


def test_default_is_the_file_of_the_install_directory(host: Path) -> None:
    source = find(host, service())
    assert (source.kind, source.path) == ("file", "/opt/mattermost/config/config.json")
    assert "default" in source.evidence


def test_without_a_unit_it_is_the_default_too(host: Path) -> None:
    assert find(host, Service(name="mattermost.service", load_state="not-found")).path.endswith("/config/config.json")


@pytest.mark.parametrize(
    "words",
    [
        ("-c", "/etc/mm.json"),
        ("-c=/etc/mm.json",),
        ("-c/etc/mm.json",),
        ("--config", "/etc/mm.json"),
        ("--config=/etc/mm.json",),
        ("-config=/etc/mm.json",),
        ("server", "--config=/etc/mm.json", "--other"),
        ("-c", "/etc/first.json", "--config", "/etc/mm.json"),
    ],
)
def test_the_command_line_names_the_file(host: Path, words: Any) -> None:
    source = find(host, service(*words, environment={"MM_CONFIG": "/etc/other.json"}))
    assert source.path == "/etc/mm.json"
    assert "/etc/mm.json in " + UNIT in source.evidence


def test_evidence_of_the_command_line_names_the_drop_ins_too(host: Path) -> None:
    drop_in = UNIT + ".d/command.conf"
    assert drop_in in find(host, service("-c", "/etc/mm.json", drop_ins=(drop_in,))).evidence


@pytest.mark.parametrize(
    "command",
    [
        ("/bin/sh", "-c", "/opt/mattermost/start.sh"),
        ("/usr/bin/nice", "-c", "/x.json", "/opt/mattermost/bin/mattermost"),
        ("/opt/mattermost/bin/mattermost", "--", "-c", "/x.json"),
        ("/opt/mattermost/bin/mattermost", "-c"),
    ],
)
def test_options_that_are_not_the_servers_say_nothing(host: Path, command: Any) -> None:
    assert find(host, service(command=command)).path == "/opt/mattermost/config/config.json"


def test_variables_before_the_program_count(host: Path) -> None:
    command = ("/usr/bin/env", "MM_CONFIG=/etc/env.json", "/opt/mattermost/bin/mattermost")
    assert find(host, service(command=command)).path == "/etc/env.json"


@pytest.mark.parametrize("version", [None, "5.10.0", "11.6"])
@pytest.mark.parametrize("name", ["MM_CONFIG", "mm_config"])
def test_mm_config_names_the_file_and_where_it_is_set(host: Path, version: Optional[str], name: str) -> None:
    source = find(host, service(environment={name: "/etc/mm.json"}), version)
    assert source.path == "/etc/mm.json"
    assert source.evidence == f"MM_CONFIG=/etc/mm.json in {ENVIRONMENT_FILE} (EnvironmentFile)"


def test_mm_config_in_the_unit_itself(host: Path) -> None:
    of = service(environment={"MM_CONFIG": "/etc/mm.json"}, origin={"MM_CONFIG": UNIT})
    assert find(host, of).evidence == f"MM_CONFIG=/etc/mm.json in {UNIT}"


def test_mm_config_means_nothing_before_5_10_and_nothing_when_empty(host: Path) -> None:
    assert find(host, service(environment={"MM_CONFIG": "/etc/mm.json"}), "5.9.3").path.startswith(INSTALL)
    assert find(host, service(environment={"MM_CONFIG": ""})).path.startswith(INSTALL)


@pytest.mark.parametrize("scheme", ["mysql", "postgres", "postgresql"])
def test_a_dsn_is_a_database_and_its_password_is_not_shown(host: Path, scheme: str) -> None:
    dsn = f"{scheme}://mmuser:hunter2@db:5432/mattermost?sslmode=disable"
    for of in (service(environment={"MM_CONFIG": dsn}), service("-c", dsn), service(f"--config={dsn}")):
        source = find(host, of)
        assert (source.kind, source.path) == ("database", "")
        assert "hunter2" not in repr(source)
        assert f"{scheme}://" in source.evidence


# --- where a name is looked up ---------------------------------------------------------------------------------------


def _touch(host: Path, path: str) -> None:
    file = host / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{}")


@pytest.mark.parametrize(
    ("version", "cwd", "name", "made", "expected"),
    [
        # near the working directory, each version
        ("5.7.0", INSTALL, "config.json", (), "/opt/mattermost/config/config.json"),
        ("5.7.0", "/opt/mattermost/bin", "config.json", (), "/opt/mattermost/config/config.json"),
        ("5.36.1", "/opt/mattermost/bin", "config.json", (), "/opt/mattermost/config/config.json"),
        (None, "/opt/mattermost/bin", "config.json", (), "/opt/mattermost/config/config.json"),
        # a config/ that is nearer wins
        ("5.36.1", "/srv/mm", "config.json", ("/srv/mm/config/config.json",), "/srv/mm/config/config.json"),
        ("5.36.1", "/srv/mm", "config.json", ("/srv/config/config.json",), "/srv/config/config.json"),
        # three up: from 5.8 on only
        ("5.36.1", "/a/b/c/d", "x.json", ("/a/config/x.json",), "/a/config/x.json"),
        ("5.7.0", "/a/b/c/d", "x.json", ("/a/config/x.json",), "/opt/mattermost/config/x.json"),
        # around the executable: from 5.8 on only, after the working directory
        ("5.8.0", "/srv/mm", "config.json", (), "/opt/mattermost/config/config.json"),
        ("5.36.1", "/srv/mm", "x.json", ("/opt/mattermost/config/x.json",), "/opt/mattermost/config/x.json"),
        # below the working directory itself comes last
        ("5.36.1", "/srv/mm", "mm.json", ("/srv/mm/mm.json",), "/srv/mm/mm.json"),
        ("4.6.0", "/srv/mm", "mm.json", ("/srv/mm/mm.json",), "/srv/mm/mm.json"),
        (
            "5.36.1",
            "/srv/mm",
            "mm.json",
            ("/srv/mm/mm.json", "/opt/mattermost/config/mm.json"),
            "/opt/mattermost/config/mm.json",
        ),
        ("5.36.1", "/srv/mm", "config/mm.json", ("/srv/mm/config/mm.json",), "/srv/mm/config/mm.json"),
        # nowhere: the server makes it in the first config/ that it finds
        ("5.36.1", INSTALL, "new.json", (), "/opt/mattermost/config/new.json"),
        ("5.36.1", "/srv/mm", "new.json", ("/srv/mm/config/other",), "/srv/mm/config/new.json"),
    ],
)
def test_where_a_name_is_looked_up(
    host: Path, version: Optional[str], cwd: str, name: str, made: Any, expected: str
) -> None:
    for path in made:
        _touch(host, path)
    assert find(host, service("-c", name), version, cwd).path == expected


def test_a_linked_executable_counts_where_it_really_lies(host: Path) -> None:
    (host / "usr/bin").mkdir(parents=True)
    (host / "usr/bin/mattermost").symlink_to("/opt/mattermost/bin/mattermost")
    of = service(command=("/usr/bin/mattermost",))
    assert find(host, of, cwd="/srv").path == "/opt/mattermost/config/config.json"


def test_a_linked_configuration_is_named_by_its_link(host: Path) -> None:
    _touch(host, "/etc/mattermost.json")
    link = host / "opt/mattermost/config/config.json"
    link.unlink()
    link.symlink_to("/etc/mattermost.json")
    assert find(host, service()).path == "/opt/mattermost/config/config.json"


# --- what the environment overrides ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("MM_PLUGINSETTINGS_ENABLE", "false", "Enable", False),
        ("MM_PLUGINSETTINGS_ENABLEUPLOADS", "1", "EnableUploads", True),
        ("mm_pluginsettings_enableuploads", "T", "EnableUploads", True),
        ("MM_PLUGINSETTINGS_DIRECTORY", "/srv/plugins", "Directory", "/srv/plugins"),
        ("MM_PLUGINSETTINGS_MARKETPLACEURL", "https://x", "MarketplaceURL", "https://x"),
        ("MM_PLUGINSETTINGS_SIGNATUREPUBLICKEYFILES", "a.asc b.asc", "SignaturePublicKeyFiles", ["a.asc", "b.asc"]),
        ("MM_PLUGINSETTINGS_PLUGINSTATES", '{"a":{"Enable":true}}', "PluginStates", {"a": {"Enable": True}}),
        ("MM_PLUGINSETTINGS_PLUGINS", '{"a":{"k":1}}', "Plugins", {"a": {"k": 1}}),
    ],
)
def test_an_override_is_read_as_the_server_reads_it(host: Path, variable: str, text: str, key: str, value: Any) -> None:
    source = find(host, service(environment={variable: text}), "9.10.0")
    origin = f"{ENVIRONMENT_FILE} (EnvironmentFile)"
    assert source.overrides == {key: Override(variable.upper(), value, origin)}


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("MM_PLUGINSETTINGS_ENABLE", "yes"),
        ("MM_PLUGINSETTINGS_ENABLE", ""),
        ("MM_PLUGINSETTINGS_PLUGINSTATES", "{"),
        ("MM_PLUGINSETTINGS_PLUGINSTATES", '["a"]'),
        ("MM_PLUGINSETTINGS_PLUGINSTATES", '{"a": true}'),
        ("MM_PLUGINSETTINGS_UNKNOWN", "true"),
        ("MM_SERVICESETTINGS_ENABLE", "true"),
    ],
)
def test_what_the_server_ignores_overrides_nothing(host: Path, variable: str, text: str) -> None:
    assert find(host, service(environment={variable: text}), "9.10.0").overrides == {}


@pytest.mark.parametrize(
    ("version", "keys"),
    [
        ("5.1.2", set()),
        ("5.2.0", {"Enable"}),
        ("5.16.0", {"Enable", "EnableMarketplace"}),
        ("7.4.0", {"Enable", "EnableMarketplace"}),
        ("7.5.0", {"Enable", "EnableMarketplace", "Plugins"}),
        (None, {"Enable", "EnableMarketplace", "Plugins"}),
    ],
)
def test_overrides_count_from_the_version_that_reads_them(host: Path, version: Optional[str], keys: Any) -> None:
    environment = {
        "MM_PLUGINSETTINGS_ENABLE": "true",
        "MM_PLUGINSETTINGS_ENABLEMARKETPLACE": "true",
        "MM_PLUGINSETTINGS_PLUGINS": "{}",
    }
    assert set(find(host, service(environment=environment), version).overrides) == keys
    parsed = parse_server_version(version) if version else None
    assert set(find(host, service(environment=environment)).overrides_for(parsed)) == keys


def test_a_database_server_has_overrides_too(host: Path) -> None:
    of = service(environment={"MM_CONFIG": "postgres://x", "MM_PLUGINSETTINGS_ENABLE": "false"})
    assert find(host, of).overrides["Enable"].value is False


# --- the environment of the process ----------------------------------------------------------------------------------


def test_the_environment_is_the_units_and_that_of_the_command_by_names_in_any_case() -> None:
    of = service(
        command=("/usr/bin/env", "MM_FILESETTINGS_DIRECTORY=/srv", "/opt/mattermost/bin/mattermost"),
        environment={"mm_servicesettings_enablelocalmode": "true", "MM_FILESETTINGS_DIRECTORY": "/unit"},
    )
    assert server_environment(of) == {
        "MM_SERVICESETTINGS_ENABLELOCALMODE": "true",
        "MM_FILESETTINGS_DIRECTORY": "/srv",
    }


@pytest.mark.parametrize(
    ("value", "wanted"), [(True, True), ("T", True), ("1", True), (False, False), ("yes", False), ("tRue", False)]
)
def test_a_flag_is_what_the_server_takes_it_for(value: Any, wanted: bool) -> None:
    assert is_true(value) is wanted
