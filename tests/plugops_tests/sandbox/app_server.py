# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox: three app servers as plain directories, broken as they are found in the field."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence

from plugops_tests.servers.server_process import ServerProcess, free_port, unprivileged_user
from plugops_tests.standin.release import build_release
from plugops_tests.support.bundles import make_bundle

VERSION = "5.36.1"
PLUGIN_ID = "com.example.hello"
OLD, NEW = "1.0.0", "1.1.0"
NAMES = ("app1", "app2", "app3")

_UNIT = """[Unit]
Description=Mattermost

[Service]
Type=notify
ExecStart=/opt/mattermost/bin/mattermost
User=mattermost
Group=mattermost

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class AppServer:
    """One app server; ``root`` stands for the ``/`` of its host."""

    name: str
    root: Path

    @property
    def install_dir(self) -> Path:
        return self.root / "opt" / "mattermost"

    def working_directory(self) -> Path:
        """Where systemd would start the service: the last WorkingDirectory of the unit and its drop-ins, else /."""
        units = self.root / "etc" / "systemd" / "system"
        lines: List[str] = []
        for path in [units / "mattermost.service", *sorted((units / "mattermost.service.d").glob("*.conf"))]:
            lines += path.read_text(encoding="utf-8").splitlines()
        values = [line.split("=", 1)[1].strip() for line in lines if line.startswith("WorkingDirectory=")]
        return self.root / (values[-1] if values else "/").lstrip("/")

    def process(self) -> ServerProcess:
        """The server as systemd would start it."""
        return ServerProcess(self.install_dir, user=unprivileged_user(), cwd=self.working_directory())


def make_sandbox(place: Path, version: str = VERSION, names: Sequence[str] = NAMES) -> List[AppServer]:
    """Make the sandbox anew at ``place``, with the bundles that the inventory names.

    :param version: of the servers
    :param names: which of the three are made
    """
    remove_sandbox(place)
    _reachable(place)
    bundles = place / "bundles"
    bundles.mkdir()
    for plugin_version in (OLD, NEW):
        make_bundle(bundles, PLUGIN_ID, plugin_version, server=True)
    release = build_release(version, place)
    return [_make_app_server(place, name, release) for name in names]


def remove_sandbox(place: Path) -> None:
    """Remove it, also directories that are not writable and a sandbox that lies elsewhere behind a link."""
    target = place.resolve()
    if target.is_dir():
        for directory, _, _ in os.walk(target):
            os.chmod(directory, 0o755)
        shutil.rmtree(target)
    if place.is_symlink():
        place.unlink()


def _reachable(place: Path) -> None:
    """Make the directory where the service user can get to it: root's clone may lie below its closed home."""
    user = unprivileged_user()
    place.parent.mkdir(parents=True, exist_ok=True)
    if user is None or all(_others_may_search(parent) for parent in place.resolve().parents):
        place.mkdir()
        os.chmod(place, 0o755)
        return
    elsewhere = Path(tempfile.mkdtemp(prefix="plugops-sandbox-", dir="/var/tmp"))
    os.chmod(elsewhere, 0o755)
    place.symlink_to(elsewhere)


def _others_may_search(directory: Path) -> bool:
    return bool(directory.stat().st_mode & 0o001)


def _make_app_server(place: Path, name: str, release: Path) -> AppServer:
    server = AppServer(name, place.resolve() / name)
    server.install_dir.parent.mkdir(parents=True)
    with tarfile.open(release) as archive:
        archive.extractall(server.install_dir.parent)
    (server.root / "var" / "lib").mkdir(parents=True)
    _write_account(server)
    _write_unit(server)
    _write_config(server)
    if name == "app1":
        _unpack_plugin(server, place, NEW)
    if name == "app3":
        _unpack_plugin(server, place, OLD)
    _give_to_service_user(server)
    _break(server)
    return server


def _write_account(server: AppServer) -> None:
    account = pwd.getpwnam(unprivileged_user() or pwd.getpwuid(os.geteuid()).pw_name)
    etc = server.root / "etc"
    etc.mkdir(exist_ok=True)
    (etc / "passwd").write_text(
        f"root:x:0:0:root:/root:/bin/sh\nmattermost:x:{account.pw_uid}:{account.pw_gid}::/opt/mattermost:/bin/sh\n"
    )
    (etc / "group").write_text(f"root:x:0:\nmattermost:x:{account.pw_gid}:\n")


def _write_unit(server: AppServer) -> None:
    units = server.root / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    (units / "mattermost.service").write_text(_UNIT)


def _write_config(server: AppServer) -> None:
    path = server.install_dir / "config" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["ServiceSettings"]["ListenAddress"] = f"127.0.0.1:{free_port()}"
    config["PluginSettings"]["EnableUploads"] = False
    path.write_text(json.dumps(config, indent=4) + "\n", encoding="utf-8")


def _unpack_plugin(server: AppServer, place: Path, version: str) -> None:
    plugins = server.install_dir / "plugins"
    plugins.mkdir()
    with tarfile.open(place / "bundles" / f"{PLUGIN_ID}-{version}.tar.gz") as archive:
        archive.extractall(plugins)


def _give_to_service_user(server: AppServer) -> None:
    user = unprivileged_user()
    if user is None:
        return
    account = pwd.getpwnam(user)
    for directory, _, files in os.walk(server.install_dir):
        for path in [directory, *(os.path.join(directory, name) for name in files)]:
            os.chown(path, account.pw_uid, account.pw_gid)


def _break(server: AppServer) -> None:
    """What Mattermost's own troubleshooting page lists: no right to write client/; the unit is broken already."""
    client = server.install_dir / "client"
    if os.geteuid() == 0:
        os.chown(client, 0, 0)
    os.chmod(client, 0o755 if os.geteuid() == 0 else 0o555)
    os.chmod(server.root, 0o755 if os.geteuid() == 0 else 0o555)  # as / is: not the service user's


def plugin_version(server: AppServer) -> Optional[str]:
    """The version in plugins/<id>/plugin.json, None where there is none."""
    manifest = server.install_dir / "plugins" / PLUGIN_ID / "plugin.json"
    return str(json.loads(manifest.read_text(encoding="utf-8"))["version"]) if manifest.exists() else None
