# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit of an image: what depends on the server's version, what only a log or the report tells, and what blockers are.

Faults of a running host are made on one: tests/integration/test_fault_matrix.py.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Set, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._audit import audit
from ansible_collections.plugops.mattermost.plugins.module_utils._audit.audit import Audit
from ansible_collections.plugops.mattermost.plugins.module_utils._audit.codes import CODES
from ansible_collections.plugops.mattermost.plugins.module_utils._audit.context import AuditContext
from ansible_collections.plugops.mattermost.plugins.module_utils._audit.directories import look_at_directories
from ansible_collections.plugops.mattermost.plugins.module_utils._audit.findings import MOST_OF_A_CODE
from ansible_collections.plugops.mattermost.plugins.module_utils._core import blocker
from ansible_collections.plugops.mattermost.plugins.module_utils._core.blocker import HIDDEN, NEEDS_ROOT, Blocker
from ansible_collections.plugops.mattermost.plugins.module_utils._directories import directories
from ansible_collections.plugops.mattermost.plugins.module_utils._node.node import Node
from ansible_collections.plugops.mattermost.plugins.module_utils._node.options import NodeOptions
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.wanted import WantedPlugin
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.wanted import BundleFacts, wanted_plugins

from plugops_tests.support.bundles import make_bundle

ID = "com.example.audit"
KINDS = {value for name, value in vars(blocker).items() if name.isupper() and not name.startswith("_")}
UNIT = """\
[Service]
User=mattermost
WorkingDirectory=/opt/mattermost
ExecStart=/opt/mattermost/bin/mattermost
"""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A root with a healthy app server below /opt/mattermost."""
    install = tmp_path / "opt/mattermost"
    for name in ("config", "logs", "plugins", "client/plugins", "data/plugins", "prepackaged_plugins"):
        (install / name).mkdir(parents=True)
    settings = {"Directory": "./plugins", "ClientDirectory": "./client/plugins", "EnableUploads": True}
    (install / "config/config.json").write_text(json.dumps({"PluginSettings": settings}))
    write(tmp_path / "etc/systemd/system/mattermost.service", UNIT)
    write(tmp_path / "etc/passwd", f"mattermost:x:{os.geteuid()}:{os.getegid()}::/opt/mattermost:/bin/sh\n")
    write(tmp_path / "etc/group", f"mattermost:x:{os.getegid()}:\n")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def configure(image: Path, **settings: Any) -> None:
    path = image / "opt/mattermost/config/config.json"
    document = json.loads(path.read_text())
    document["PluginSettings"].update(settings)
    path.write_text(json.dumps(document))


def enable(image: Path, plugin_id: str) -> None:
    configure(image, PluginStates={plugin_id: {"Enable": True}})


def unpack(image: Path, bundle: Path) -> None:
    with tarfile.open(bundle) as archive:
        archive.extractall(image / "opt/mattermost/plugins", filter="fully_trusted")


def log(image: Path, message: str, level: str = "error", **fields: str) -> None:
    line = {"level": level, "ts": 1515075635.25, "caller": "app/plugin.go:1", "msg": message, **fields}
    write(image / "opt/mattermost/logs/mattermost.log", json.dumps(line) + "\n")


def node(image: Path, version: Optional[str]) -> Node:
    def run(argv: Sequence[str]) -> Tuple[int, str, str]:
        raise AssertionError(f"an image runs nothing: {argv}")

    return Node(NodeOptions(root=str(image), server_version=version), run)


def codes(
    image: Path,
    version: Optional[str] = "9.10.0",
    report: Optional[Mapping[str, Any]] = None,
    wanted: Sequence[WantedPlugin] = (),
) -> Set[str]:
    return set(findings(image, version, report or {}, wanted))


def findings(
    image: Path, version: Optional[str], report: Mapping[str, Any], wanted: Sequence[WantedPlugin] = ()
) -> Dict[str, Dict[str, Any]]:
    return {finding["code"]: finding for finding in Audit(node(image, version), wanted).findings(report)}


@pytest.mark.parametrize("version", [None, "4.6.0", "5.36.1", "9.10.0", "11.6.0"])
def test_nothing_is_found_on_a_healthy_one(image: Path, version: Optional[str]) -> None:
    assert codes(image, version) == set()


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("5.13.0", None),
        ("5.14.0", "unmanaged-plugin"),
        ("10.4.0", "unmanaged-plugin"),
        ("10.5.0", "unpacked-unsupported"),
        ("10.12.0", "unpacked-unsupported"),
        ("11.0.0", "unpacked-will-be-deleted"),
    ],
)
def test_an_unpacked_plugin(image: Path, tmp_path: Path, version: str, code: Optional[str]) -> None:
    unpack(image, make_bundle(tmp_path, ID, "1.0.0"))
    assert codes(image, version) == ({code} if code else set())


@pytest.mark.parametrize(("version", "told"), [("10.10.0", False), ("10.11.0", True)])
@pytest.mark.parametrize("beside", ["", ".asc"])
def test_a_prepackaged_bundle_without_a_signature(
    image: Path, tmp_path: Path, version: str, told: bool, beside: str
) -> None:
    bundle = make_bundle(tmp_path, ID, "1.0.0")
    shutil.copy(bundle, image / "opt/mattermost/prepackaged_plugins")
    enable(image, ID)
    if beside:
        write(image / f"opt/mattermost/prepackaged_plugins/{bundle.name}{beside}", "a signature")
    assert ("prepackaged-unsigned" in codes(image, version)) == told
    write(image / f"opt/mattermost/prepackaged_plugins/{bundle.name}.sig", "a signature")
    assert "prepackaged-unsigned" not in codes(image, version)


@pytest.mark.parametrize(
    ("packed", "settings", "version", "told"),
    [
        ("1.1.0", {}, "5.36.1", True),
        ("1.1.0", {}, "5.19.0", True),
        ("0.9.0", {}, "5.36.1", False),
        ("0.9.0", {}, "5.19.0", True),
        ("1.1.0", {"AutomaticPrepackagedPlugins": False}, "5.36.1", False),
        ("1.1.0", {"PluginStates": {}}, "5.36.1", False),
        ("1.1.0", {}, "5.1.0", False),
    ],
)
def test_a_prepackaged_bundle_that_will_win(
    image: Path, tmp_path: Path, packed: str, settings: Dict[str, Any], version: str, told: bool
) -> None:
    """Over what lies in the file store, and over what is wanted, regardless of what the server has now."""
    install, bundle = image / "opt/mattermost", make_bundle(tmp_path, ID, "1.0.0")
    unpack(image, bundle)
    (install / f"plugins/{ID}/.filestore").touch()
    shutil.copy(bundle, install / f"data/plugins/{ID}.tar.gz")
    make_bundle(install / "prepackaged_plugins", ID, packed)
    configure(image, **{"PluginStates": {ID: {"Enable": True}}, **settings})
    assert ("prepackaged-wins" in codes(image, version)) == told
    (wanted,), _ = wanted_plugins([{"src": str(bundle)}], str, BundleFacts(str(tmp_path / "facts.json")))
    for name in (f"plugins/{ID}/.filestore", f"data/plugins/{ID}.tar.gz"):
        (install / name).unlink()
    will_win = told or settings.get("PluginStates") == {}  # what is wanted will be enabled
    assert ("prepackaged-wins" in codes(image, version, wanted=[wanted])) == will_win
    assert "prepackaged-wins" not in codes(image, version, wanted=[replace(wanted, present=False)])


def test_what_came_prepackaged_is_in_order(image: Path, tmp_path: Path) -> None:
    """Also where its bundle is another one since the server was upgraded, and where the store has an older one."""
    install, bundle = image / "opt/mattermost", make_bundle(tmp_path, ID, "1.1.0")
    enable(image, ID)
    shutil.copy(bundle, install / "prepackaged_plugins")
    assert codes(image, "5.36.1") == set(), "it comes with the next start"
    unpack(image, bundle)
    (install / f"plugins/{ID}/.filestore").touch()
    shutil.copy(make_bundle(tmp_path, ID, "1.0.0"), install / f"data/plugins/{ID}.tar.gz")
    assert codes(image, "5.36.1") == set()
    (install / f"data/plugins/{ID}.tar.gz").unlink()
    make_bundle(install / "prepackaged_plugins", ID, "1.2.0")
    assert codes(image, "5.36.1") == set()


def test_a_plugin_that_the_server_deleted(image: Path, tmp_path: Path) -> None:
    log(image, "Removing local installation of managed plugin before sync", "info", plugin_id=ID)
    assert codes(image, "11.6.0") == {"plugin-deleted-at-start"}
    shutil.copy(make_bundle(tmp_path, ID, "1.0.0"), image / f"opt/mattermost/data/plugins/{ID}.tar.gz")
    unpack(image, make_bundle(tmp_path, ID, "1.0.0"))
    assert codes(image, "11.6.0") == set(), "it came back"


@pytest.mark.parametrize(
    ("message", "fields", "code"),
    [
        ("Deactivating plugin due to multiple crashes", {"plugin_id": ID}, "plugin-crashes"),
        ("Plugin failed to ServeHTTP, muxBroker couldn't accept connection", {"plugin_id": ID}, "plugin-hangs"),
        ("Unable to activate plugin", {"plugin_id": ID, "error": "of another kind"}, "plugin-start-failed"),
        ("Failed to update config", {}, "config-read-only-cluster"),
        (
            "Changing PluginSettings.EnableUploads is not allowed due to security reasons.",
            {},
            "uploads-change-refused",
        ),
    ],
)
def test_what_only_the_log_tells(image: Path, message: str, fields: Mapping[str, str], code: str) -> None:
    log(image, message, **fields)
    (found,) = findings(image, "9.10.0", {}).values()
    assert (found["code"], found["source"]) == (code, "log")
    assert message in found["evidence"][0]


def test_a_plugin_system_that_is_off_for_no_known_reason(image: Path) -> None:
    assert codes(image, report={"plugin_system": "off"}) == {"plugin-system-off"}
    shutil.rmtree(image / "opt/mattermost/client")
    assert "plugin-system-off" not in codes(image, report={"plugin_system": "off"}), "its cause is found"


def test_what_keeps_site_yml_from_its_work(image: Path) -> None:
    report = {"errors": [{"concern": "plugins", "msg": "upload is refused"}]}
    found = findings(image, "9.10.0", report)
    assert set(found) == {"not-ensurable"}
    assert found["not-ensurable"]["evidence"] == ["upload is refused"]
    enable(image, ID)
    shutil.copy(__file__, image / f"opt/mattermost/plugins/{ID}")
    write(image / "opt/mattermost/plugins/broken/plugin.json", "{")
    assert "not-ensurable" not in codes(image, report=report), "the plugins' own findings explain it"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_blocker_is_a_finding(image: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    blocker = Blocker(kind, "/opt/mattermost/plugins", "seen: it lies on /opt (ext4)", "fix it")
    monkeypatch.setattr(directories, "find_blockers", lambda *_, **__: [blocker])
    context = AuditContext(node(image, "9.10.0"))
    look_at_directories(context)
    (found,) = {item["code"]: item for item in context.findings.as_list()}.values()
    assert found["code"] == ("not-audited" if kind in (HIDDEN, NEEDS_ROOT) else kind)
    assert found["code"] in CODES
    assert any("seen: it lies on /opt" in text for text in found["evidence"])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("embedded null byte"), "a form that nothing reads: ValueError: embedded null byte"),
        (RecursionError("maximum recursion depth exceeded"), "RecursionError: maximum"),
        (OverflowError("too large"), "OverflowError: too large"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates"), "UnicodeEncodeError"),
        (MemoryError(), "MemoryError"),
        (KeyError("bug"), "a fault of plugops.mattermost, please report it: KeyError: 'bug' at test_audit.py:"),
    ],
)
def test_what_one_part_cannot_read_is_reported_and_the_rest_is_looked_at(
    image: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def look_at_odd_things(_: AuditContext) -> None:
        raise error

    monkeypatch.setattr(audit, "_DETECTORS", (look_at_odd_things, *audit._DETECTORS))
    configure(image, Enable=False)
    found = findings(image, "9.10.0", {})
    assert set(found) == {"not-audited", "plugins-disabled"}
    assert found["not-audited"]["subject"] == "odd things"
    assert found["not-audited"]["evidence"][0].startswith("odd things: ")
    assert told in found["not-audited"]["evidence"][0]


def test_a_log_of_very_many_plugins_is_a_bounded_number_of_findings(image: Path) -> None:
    lines = [
        {"level": "error", "ts": 1515075635.25, "msg": f"unable to start plugin: com.x{number}: boom"}
        for number in range(20_000)
    ]
    write(image / "opt/mattermost/logs/mattermost.log", "".join(json.dumps(line) + "\n" for line in lines))
    started = time.process_time()
    listed = Audit(node(image, "9.10.0"), []).findings({})
    assert time.process_time() - started < 10
    assert {item["code"] for item in listed} == {"plugin-start-failed"}
    assert len(listed) == MOST_OF_A_CODE + 1
    assert listed[-1]["evidence"][0].startswith("and 19900 more of this kind")
