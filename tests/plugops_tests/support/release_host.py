# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory that stands for a host with two releases beside it, and what is mounted in it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any, Dict, Iterator, Sequence, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.resource import Outcome, ensure
from ansible_collections.plugops.mattermost.plugins.module_utils._install.release import Release
from ansible_collections.plugops.mattermost.plugins.module_utils._node.node import Node
from ansible_collections.plugops.mattermost.plugins.module_utils._node.options import NodeOptions

from plugops_tests.servers.server_process import unprivileged_user

OLD = {
    "bin/mattermost": "old server",
    "client/root.html": "old page",
    "client/old.js": "old script",
    "i18n/en.json": "[]",
    "config/config.json": "{}",
    "OLD.txt": "only in the old one",
}
NEW = {
    "bin/mattermost": "new server",
    "client/root.html": "new page",
    "client/new/chunk.js": "new script",
    "i18n/en.json": "[1]",
    "config/config.json": '{"shipped": "anew"}',
    "config/cloud_defaults.json": "{}",
}
OURS = {
    "config/config.json": '{"ours": true}',
    "data/plugins/com.example.a.tar.gz": "stored bundle",
    "logs/mattermost.log": "a line",
    "plugins/com.example.a/plugin.json": "manifest",
    "client/plugins/com.example.a/main.js": "script",
    "our-notes.txt": "of the operator",
}


def tarball(place: Path, name: str, files: Dict[str, str], top: str = "mattermost") -> Tuple[str, str]:
    """Path and SHA-256."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{top}/{path}")
            entry.size, entry.mode = len(text), 0o755 if path.startswith("bin/") else 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    packed = place / name
    packed.write_bytes(gzip.compress(raw.getvalue(), mtime=0))
    return str(packed), hashlib.sha256(packed.read_bytes()).hexdigest()


class Host:
    """A directory that stands for a host, with two releases beside it."""

    def __init__(self, place: Path) -> None:
        self.root = place / "root"
        (self.root / "opt").mkdir(parents=True)
        self.install_dir = self.root / "opt/mattermost"
        self.store = self.root / "opt/releases"
        self.old = tarball(place, "old.tar.gz", OLD)
        self.new = tarball(place, "new.tar.gz", NEW)

    def release(self, archive: str, sha256: str, stage_only: bool = False) -> Release:
        def run(argv: Sequence[str]) -> Tuple[int, str, str]:
            raise AssertionError(f"{argv} is not to be run")

        user = unprivileged_user() or "nobody"
        install_dir = f"/{self.install_dir.relative_to(self.root)}"
        return Release(
            Node(NodeOptions(root=str(self.root), service_user=user, install_dir=install_dir), run),
            archive,
            sha256,
            "/opt/releases",
            stage_only,
        )

    def ensure(self, *which: Any) -> Outcome:
        return ensure(self.release(*which), check_mode=False)

    def record(self) -> Path:
        (found,) = (self.root / "var/lib/plugops").glob("release*.json")
        return found

    def files(self) -> Dict[str, str]:
        """Everything in the install directory."""
        return {
            str(path.relative_to(self.install_dir)): path.read_text()
            for path in self.install_dir.rglob("*")
            if path.is_file()
        }

    def use(self) -> None:
        """What a deployment leaves in its install directory."""
        for name, text in OURS.items():
            path = self.install_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


@contextlib.contextmanager
def mounted(place: Path, *what: str) -> Iterator[None]:
    place.mkdir(exist_ok=True)
    if subprocess.run(["mount", *what, str(place)], capture_output=True, check=False).returncode:
        pytest.skip("may not mount here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)
