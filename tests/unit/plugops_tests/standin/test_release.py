# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packed stand-in: looks like a release, is the same each time, starts on every Python that hosts have."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Set

import pytest

from plugops_tests.standin.release import SERVER, SUPPORTED, build_release


def _names(path: Path) -> Set[str]:
    with tarfile.open(path) as archive:
        return {member.name for member in archive.getmembers()}


@pytest.mark.parametrize("version", SUPPORTED)
def test_looks_like_a_release(tmp_path: Path, version: str) -> None:
    path = build_release(version, tmp_path / "out")
    assert path == tmp_path / "out" / f"mattermost-{version}.tar.gz"
    names = _names(path)
    old = version == "4.6.0"
    assert {name.split("/")[0] for name in names} == {"mattermost"}
    assert ("mattermost/bin/platform" in names) == old
    assert ("mattermost/bin/mattermost" in names) == (not old)
    assert ("mattermost/prepackaged_plugins" in names) == (not old)
    assert {"mattermost/client/root.html", "mattermost/logs", "mattermost/i18n/en.json"} <= names
    assert not names & {"mattermost/plugins", "mattermost/client/plugins", "mattermost/data"}
    with tarfile.open(path) as archive:
        stream = archive.extractfile("mattermost/config/config.json")
        assert stream is not None
        config = json.loads(stream.read())
    assert config["PluginSettings"]["Directory"] == "./plugins"
    assert config["SqlSettings"]["AtRestEncryptKey"] == "", "generated at the first start, never shipped"


def test_same_bytes_each_time(tmp_path: Path) -> None:
    first = build_release("9.10.0", tmp_path / "first")
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    tests = str(SERVER.parent.parent)
    command = [sys.executable, f"{tests}/standin/release.py", "9.10.0", str(tmp_path / "second")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    second = Path(done.stdout.strip())
    other = build_release("9.10.1", tmp_path / "third")
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, second, other)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("source", sorted(SERVER.glob("*.py")), ids=lambda path: path.name)
def test_source_is_python_3_8(source: Path) -> None:
    ast.parse(source.read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("python", ["python3.8", "python3.9", "python3.13", "python3"])
def test_starts_with(tmp_path: Path, python: str) -> None:
    found = shutil.which(python)
    works = found and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0
    if not works:
        pytest.skip(f"no {python} on this machine")
    with tarfile.open(build_release("5.36.1", tmp_path)) as archive:
        archive.extractall(tmp_path)
    program = tmp_path / "mattermost" / "bin" / "mattermost"
    done = subprocess.run([str(found), str(program), "version"], capture_output=True, text=True, check=True)
    assert done.stdout == "Version: 5.36.1\n"
    assert not list(tmp_path.rglob("__pycache__")), "a start must leave no bytecode behind"


@pytest.mark.parametrize(
    ("arguments", "environment", "complaint"),
    [
        (["-c", "postgres://user:secret@host/db"], {}, "the configuration is in a database"),
        ([], {"MM_CONFIG": "mysql://user:secret@host/db"}, "the configuration is in a database"),
        (["frobnicate"], {}, "unknown command 'frobnicate'"),
    ],
)
def test_refuses(tmp_path: Path, arguments: list[str], environment: dict[str, str], complaint: str) -> None:
    with tarfile.open(build_release("5.36.1", tmp_path)) as archive:
        archive.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "mattermost/bin/mattermost"), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 1
    assert complaint in done.stderr
    assert "secret" not in done.stdout + done.stderr
