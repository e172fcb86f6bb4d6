# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test cluster on paper: where its parts lie, what stands in its way, and what of its logs may leave a machine."""

from __future__ import annotations

import base64
import json
from typing import Any, Dict, List, Mapping

import pytest
from ansible_collections.plugops.mattermost.plugins.plugin_utils._play.test_cluster import (
    MASK,
    collected_of,
    durations_of,
    layout_of,
    masked,
    not_running,
    problems_of,
    summary_of,
)
from hypothesis import given
from hypothesis import strategies as st

HOSTS = ["app1", "app2", "app3"]
LOCAL = {name: {"ansible_connection": "local"} for name in HOSTS}
SPREAD = {name: {"ansible_host": f"198.18.0.{number}"} for number, name in enumerate(HOSTS, start=11)}
# As `ss -Hltnpe` of iproute2 6.1 prints it: root's socket has no uid, and the process is named before it.
LISTENERS = [
    'LISTEN 0      128         0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=42,fd=3)) ino:123 sk:1 cgroup:/x <->',
    'LISTEN 0      5           0.0.0.0:8402      0.0.0.0:*    users:(("python3",pid=815,fd=3)) uid:1000 ino:7 sk:2 <->',
    'LISTEN 0      244            [::]:8450         [::]:*    users:(("postgres",pid=816,fd=3)) uid:998 ino:8 sk:3 <->',
]
GIVEN: Dict[str, Any] = {
    "name": "test",
    "first_port": 8400,
    "filestore": "separate",
    "filestore_directory": "",
    "database": "",
    "release": "/srv/mattermost.tar.gz",
    "release_sha256": "",
    "plugin_settings": {},
    "manifest": False,
    "leftovers": [],
    "uid": None,
    "listeners": [],
}


def layout(hostvars: Mapping[str, Mapping[str, Any]], hosts: List[str] = HOSTS) -> Dict[str, Dict[str, Any]]:
    return layout_of(hosts, hostvars, "test", 8400, "/opt/mattermost-test")


def problems(hostvars: Mapping[str, Mapping[str, Any]] = LOCAL, host: str = "app1", **given: Any) -> List[str]:
    return problems_of(host, layout(hostvars), {**GIVEN, **given})


def test_hosts_with_one_address_are_one_machine() -> None:
    for hostvars in (LOCAL, {name: {"ansible_host": "198.18.0.11"} for name in HOSTS}):
        places = layout(hostvars)
        assert [place["leader"] for place in places.values()] == [True, False, False]
        assert {place["address"] for place in places.values()} == {"127.0.0.1"}
        assert len({place["port"] for place in places.values()}) == 3


def test_hosts_with_addresses_of_their_own_are_machines() -> None:
    places = layout(SPREAD)
    assert [place["leader"] for place in places.values()] == [True, True, True]
    assert [place["first"] for place in places.values()] == [True, False, False]
    assert places["app2"]["url"] == "http://198.18.0.12:8402"


def test_a_host_keeps_its_port_when_another_one_goes() -> None:
    assert layout(LOCAL, ["app1", "app3"])["app3"] == {**layout(LOCAL)["app3"]}


def test_nothing_stands_in_the_way_of_what_is_right() -> None:
    for hostvars in (LOCAL, SPREAD):
        for host in HOSTS:
            assert problems(hostvars, host) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "Test"}, "test_cluster_name is no name: found 'Test'"),
        ({"first_port": 80}, "test_cluster_first_port must be 1024 to"),
        ({"release": ""}, "no release is named"),
        ({"release": "https://example.com/a.tar.gz"}, "needs its SHA-256"),
        ({"database": "mysql://db/x"}, "is no data source"),
        ({"plugin_settings": {"Directory": "/srv/plugins"}}, "Directory to /srv/plugins, which all app servers"),
        ({"leftovers": ["/opt/mattermost-test/servers"]}, "/opt/mattermost-test/servers is there on localhost"),
        ({"listeners": LISTENERS}, "port 8402, which app2 needs, is taken on localhost: found python3 (pid 815)"),
    ],
)
def test_what_stands_in_the_way_is_said_with_a_remedy(given: Dict[str, Any], words: str) -> None:
    said = problems(**given)
    assert any(words in problem for problem in said), said


def test_a_port_of_the_cluster_itself_is_not_taken() -> None:
    said = problems(listeners=LISTENERS, manifest=True, uid="998")
    assert [problem[:9] for problem in said] == ["port 8402"]


def test_a_filestore_cannot_be_shared_by_machines_that_share_nothing() -> None:
    assert problems(LOCAL, filestore="shared") == []
    assert "cannot share a directory" in problems(SPREAD, filestore="shared")[0]
    assert problems(SPREAD, filestore="shared", filestore_directory="/mnt/files") == []


def test_two_hosts_with_one_number_are_told() -> None:
    hosts = ["app1", "web1"]
    both = layout_of(hosts, dict.fromkeys(hosts, LOCAL["app1"]), "test", 8400, "/opt/x")
    assert "app1 and web1 would both get port 8401" in problems_of("app1", both, GIVEN)[0]


def test_a_plugin_that_does_not_run_is_named_with_the_servers_reason() -> None:
    statuses = [
        {"plugin_id": "a", "version": "1.0.0", "state": 2},
        {"plugin_id": "b", "version": "1.0.0", "state": 3, "error": "plugin requires Mattermost 99.0.0: b"},
    ]
    assert not_running(statuses, ["a"]) == []
    assert not_running(statuses, ["a", "b", "c"]) == [
        "b 1.0.0 (state 3: plugin requires Mattermost 99.0.0: b)",
        "c (not installed)",
    ]


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8), st.text())
def test_a_known_secret_is_in_nothing_that_is_collected(secret: str, around: str) -> None:
    assert secret not in masked(f"{around}{secret}{around}", [secret]).replace(around, "")


@given(st.text(min_size=8))
def test_a_known_secret_is_not_in_json_either(secret: str) -> None:
    assert json.loads(masked(json.dumps({"x": secret}), [secret])) == {"x": MASK}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('"DataSource": "postgres://u:pw@h/d"', f'"DataSource": "{MASK}"'),
        ("dial postgres://u:pw@h:5432/d", f"dial postgres://u:{MASK}@h:5432/d"),
        ('"SMTPPassword": "a b"', f'"SMTPPassword": "{MASK}"'),
        ('"BotToken": "pa\\"ss\\\\", "X": "y"', f'"BotToken": "{MASK}", "X": "y"'),
        ('"AtRestEncryptKey": "k"', f'"AtRestEncryptKey": "{MASK}"'),
        ('"EncryptionKey": "k"', f'"EncryptionKey": "{MASK}"'),
        ('"apikey": "k"', f'"apikey": "{MASK}"'),
        ('"SiteURL": "http://h:8400"', '"SiteURL": "http://h:8400"'),
        ("Authorization: Bearer abcdefghij", f"Authorization: Bearer {MASK}"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, wanted: str) -> None:
    assert masked(text, []) == wanted


def test_what_is_collected_has_names() -> None:
    said = [{"item": {"name": "units.txt"}, "stdout": "active"}, {"item": {"name": "skipped.txt"}}]
    logs = [{"item": {"path": "/opt/x/logs/mattermost.log"}, "content": base64.b64encode(b"pw-pw-pw is here").decode()}]
    parts = {part["name"]: part["text"] for part in collected_of(said, logs, {"healthy": False}, ["pw-pw-pw"])}
    assert parts["units.txt"] == "active"
    assert parts["mattermost.log"] == f"{MASK} is here"
    assert json.loads(parts["report.json"]) == {"healthy": False}
    assert "skipped.txt" not in parts


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (
            {"PluginSettings": {"Enable": True, "Plugins": {"a": {"pin": 1234, "list": ["s"], "in": {"x": "s"}}}}},
            {"PluginSettings": {"Enable": True, "Plugins": {"a": {"pin": MASK, "list": MASK, "in": {"x": MASK}}}}},
        ),
        ({"PluginSettings": {"Enable": True}}, {"PluginSettings": {"Enable": True}}),
        ({"ServiceSettings": {}}, {"ServiceSettings": {}}),
    ],
)
def test_no_setting_of_a_plugin_is_collected(config: Dict[str, Any], wanted: Dict[str, Any]) -> None:
    assert _collected_config(json.dumps(config)) == json.dumps(wanted, indent=4)


def test_a_config_that_cannot_be_read_is_not_collected() -> None:
    assert _collected_config('{"PluginSettings": {"Plugins": {"a": {"pin": 1').startswith("not shown, it is no JSON")


def _collected_config(text: str) -> str:
    log = {"item": {"path": "/opt/x/config/config.json"}, "content": base64.b64encode(text.encode()).decode()}
    (config,) = (part["text"] for part in collected_of([], [log], {}, []) if part["name"] == "config.json")
    return config


def test_the_terminal_gets_the_times_and_no_secret() -> None:
    clock = [("preflight", 10.0), ("app servers", 12.5), ("end", 20.0)]
    result = {
        "name": "test",
        "url": "http://127.0.0.1:8400",
        "nodes": [],
        "admin": {"username": "admin", "password": "s3cr3t-one", "token": "s3cr3t-two"},
        "durations": durations_of(clock),
    }
    shown = "\n".join(summary_of(result, "/kept/result.json"))
    assert "preflight 2.5 s, app servers 7.5 s, total 10.0 s" in shown
    assert "s3cr3t" not in shown
    assert "/kept/result.json" in shown
