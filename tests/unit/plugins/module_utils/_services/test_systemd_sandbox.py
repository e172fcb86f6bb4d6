# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a unit's sandboxing leaves of a path, as systemd.exec(5) says it. Real systemd: tests/integration."""

from __future__ import annotations

from typing import Dict, List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._services.systemd_sandbox import sandbox_blockers

PLUGINS = "/opt/mattermost/plugins"


def kinds(sandbox: Dict[str, str], path: str = PLUGINS, must_execute: bool = True) -> List[str]:
    return [found.kind for found in sandbox_blockers(path, sandbox, "mattermost.service", must_execute)]


@pytest.mark.parametrize(
    ("sandbox", "path", "expected"),
    [
        ({}, PLUGINS, []),
        ({"ProtectSystem": "no", "ProtectHome": "no", "PrivateTmp": "no"}, "/home/mm/plugins", []),
        ({"ProtectSystem": "yes"}, PLUGINS, []),
        ({"ProtectSystem": "true"}, "/usr/share/mm/plugins", ["sandbox-read-only"]),
        ({"ProtectSystem": "yes"}, "/usrlocal/plugins", []),
        ({"ProtectSystem": "full"}, "/etc/mm/plugins", ["sandbox-read-only"]),
        ({"ProtectSystem": "full"}, PLUGINS, []),
        ({"ProtectSystem": "strict"}, PLUGINS, ["sandbox-read-only"]),
        ({"ProtectSystem": "strict"}, "/home/mm/plugins", []),
        ({"ProtectSystem": "strict"}, "/dev/shm/plugins", []),
        ({"ProtectSystem": "strict", "ReadWritePaths": "/opt/mattermost"}, PLUGINS, []),
        ({"ProtectSystem": "strict", "ReadWritePaths": "-/srv +/opt/mattermost/plugins"}, PLUGINS, []),
        ({"ProtectSystem": "strict", "ReadWritePaths": "/opt/mattermost/plug"}, PLUGINS, ["sandbox-read-only"]),
        ({"ProtectSystem": "strict", "ReadWritePaths": f"{PLUGINS}/inner"}, PLUGINS, ["sandbox-read-only"]),
        ({"ProtectSystem": "strict", "ReadWritePaths": "/"}, PLUGINS, ["sandbox-read-only"]),
        ({"ProtectSystem": "strict", "StateDirectory": "mm other"}, "/var/lib/mm/plugins", []),
        ({"ProtectSystem": "strict", "StateDirectory": "mm"}, "/var/lib/mmx/plugins", ["sandbox-read-only"]),
        ({"ReadOnlyPaths": "/opt"}, PLUGINS, ["sandbox-read-only"]),
        ({"ReadOnlyPaths": "/opt", "ReadWritePaths": "/opt/mattermost"}, PLUGINS, []),
        ({"ReadOnlyPaths": "/opt/mattermost", "ReadWritePaths": "/opt"}, PLUGINS, ["sandbox-read-only"]),
        ({"ReadOnlyPaths": PLUGINS, "ReadWritePaths": PLUGINS}, PLUGINS, ["sandbox-read-only"]),
        ({"InaccessiblePaths": "-/opt"}, PLUGINS, ["sandbox-hidden"]),
        ({"InaccessiblePaths": "/opt", "ReadWritePaths": "/opt/mattermost"}, PLUGINS, ["sandbox-hidden"]),
        ({"InaccessiblePaths": "/opt", "BindPaths": "/opt/mattermost"}, PLUGINS, ["sandbox-hidden"]),
        ({"TemporaryFileSystem": "/opt:ro"}, PLUGINS, ["sandbox-hidden"]),
        ({"TemporaryFileSystem": "/opt:ro", "BindPaths": "/opt/mattermost"}, PLUGINS, []),
        ({"TemporaryFileSystem": "/opt:ro", "BindPaths": "/opt/mattermost:/opt/mattermost:rbind"}, PLUGINS, []),
        ({"TemporaryFileSystem": "/opt", "BindReadOnlyPaths": "/opt/mattermost"}, PLUGINS, ["sandbox-read-only"]),
        ({"BindPaths": "/srv/plugins:/opt/mattermost/plugins"}, PLUGINS, ["sandbox-hidden"]),
        ({"ProtectHome": "yes"}, "/home/mm/plugins", ["sandbox-hidden"]),
        ({"ProtectHome": "yes", "ReadWritePaths": "/home/mm"}, "/home/mm/plugins", ["sandbox-hidden"]),
        ({"ProtectHome": "read-only"}, "/root/plugins", ["sandbox-read-only"]),
        ({"ProtectHome": "read-only", "ReadWritePaths": "/root"}, "/root/plugins", ["sandbox-read-only"]),
        ({"ProtectHome": "read-only", "ReadWritePaths": "/root/plugins"}, "/root/plugins", []),
        ({"ProtectHome": "tmpfs"}, "/home/mm/plugins", ["sandbox-hidden"]),
        ({"ProtectHome": "tmpfs", "BindPaths": "/home/mm"}, "/home/mm/plugins", []),
        ({"ProtectSystem": "strict", "ProtectHome": "read-only"}, "/home/mm/plugins", ["sandbox-read-only"]),
        ({"PrivateTmp": "yes"}, "/var/tmp/plugins", ["sandbox-hidden"]),
        ({"PrivateTmp": "disconnected"}, "/tmp/plugins", ["sandbox-hidden"]),
        ({"PrivateTmp": "no"}, "/tmp/plugins", []),
        ({"DynamicUser": "yes"}, PLUGINS, ["sandbox-read-only"]),
        ({"DynamicUser": "yes"}, "/home/mm/plugins", ["sandbox-read-only"]),
        ({"DynamicUser": "yes"}, "/tmp/plugins", ["sandbox-hidden"]),
        ({"NoExecPaths": "/"}, PLUGINS, ["sandbox-noexec"]),
        ({"NoExecPaths": "/", "ExecPaths": "/opt/mattermost /usr"}, PLUGINS, []),
        ({"NoExecPaths": "/opt/mattermost", "ExecPaths": "/opt"}, PLUGINS, ["sandbox-noexec"]),
        ({"NoExecPaths": "/", "ReadOnlyPaths": "/opt"}, PLUGINS, ["sandbox-read-only", "sandbox-noexec"]),
        ({"RootDirectory": "/"}, PLUGINS, []),
        ({"RootDirectory": "/srv/root", "ProtectSystem": "strict"}, PLUGINS, ["sandbox-other-root"]),
        ({"RootImage": "/srv/mm.raw"}, PLUGINS, ["sandbox-other-root"]),
    ],
)
def test_rules(sandbox: Dict[str, str], path: str, expected: List[str]) -> None:
    assert kinds(sandbox, path) == expected


def test_noexec_matters_only_where_programs_start() -> None:
    assert kinds({"NoExecPaths": "/opt"}, must_execute=False) == []


def test_links_in_settings_are_followed() -> None:
    def resolve(path: str) -> str:
        return path.replace("/opt/current", "/opt/mattermost")

    sandbox = {"ProtectSystem": "strict", "ReadWritePaths": "/opt/current"}
    assert sandbox_blockers(PLUGINS, sandbox, "mattermost.service", True, resolve) == []


def test_remedy_is_the_line_to_add() -> None:
    found = sandbox_blockers(PLUGINS, {"ProtectSystem": "strict", "NoExecPaths": "/opt"}, "mm.service", True)
    assert [(item.path, item.fatal) for item in found] == [(PLUGINS, True)] * 2
    assert "ProtectSystem=strict in mm.service" in found[0].evidence
    assert "ReadWritePaths=/opt/mattermost/plugins" in found[0].remedy
    assert "systemctl edit mm.service" in found[0].remedy
    assert "ExecPaths=/opt/mattermost/plugins" in found[1].remedy


@pytest.mark.parametrize(
    ("sandbox", "path", "remedy"),
    [
        ({"ReadOnlyPaths": PLUGINS}, PLUGINS, f"remove ReadOnlyPaths={PLUGINS} from"),
        ({"InaccessiblePaths": "/opt"}, PLUGINS, "remove /opt from InaccessiblePaths="),
        ({"ProtectHome": "yes"}, "/home/mm", "ProtectHome=no"),
        ({"TemporaryFileSystem": "/opt"}, PLUGINS, f"BindPaths={PLUGINS}"),
    ],
)
def test_remedy_is_one_that_works(sandbox: Dict[str, str], path: str, remedy: str) -> None:
    (found,) = sandbox_blockers(path, sandbox, "mm.service", True)
    assert remedy in found.remedy


def test_other_root_is_only_a_warning() -> None:
    (found,) = sandbox_blockers(PLUGINS, {"RootDirectory": "/srv/root"}, "mm.service", True)
    assert not found.fatal
