# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a plugin runs, seen from outside: web parts, and real processes of the kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Dict, Iterator, Optional

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.installed import read_manifest
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.running import (
    NOTHING,
    PROCESS,
    WEB_PART,
    Evidence,
    evidence_of,
    executables_of_children,
)

from plugops_tests.support.bundles import SERVER_EXECUTABLE, make_bundle

ID = "com.example.a"


def install(directory: Path, webapp: bool, program: Optional[Path]) -> str:
    """The directory of a plugin, unpacked; its server part is a copy of a program, or a script."""
    bundle = make_bundle(directory, ID, "1.1.0", webapp=webapp, server=True)
    plugins = directory / "plugins"
    with tarfile.open(bundle) as archive:
        archive.extractall(plugins)
    if program is not None:
        shutil.copy(program, plugins / ID / SERVER_EXECUTABLE)
    return str(plugins / ID)


@pytest.fixture
def sleep() -> Path:
    found = shutil.which("sleep")
    assert found is not None
    return Path(found).resolve()


@pytest.fixture
def child(tmp_path: Path, sleep: Path) -> Iterator[str]:
    """A plugin whose server part is a child of this process."""
    plugin = install(tmp_path, False, sleep)
    process = subprocess.Popen([os.path.join(plugin, SERVER_EXECUTABLE), "60"])
    yield plugin
    process.kill()
    process.wait()


def look_at(plugin: str, webapps: Optional[Dict[str, str]] = None, server: int = 0) -> Evidence:
    """
    :param server: number of the server's process; default: this one
    """
    programs = executables_of_children(server or os.getpid())
    return evidence_of(read_manifest(plugin, plugin), "1.1.0", plugin, webapps, programs)


def test_a_child_that_runs_the_plugins_program(child: str) -> None:
    assert look_at(child) == Evidence(True, PROCESS)


def test_a_child_that_runs_a_program_that_was_replaced(child: str, sleep: Path) -> None:
    path = os.path.join(child, SERVER_EXECUTABLE)
    os.unlink(path)
    shutil.copy(sleep, path)
    found = look_at(child)
    assert (found.runs, found.by) == (False, PROCESS)
    assert child in found.found


def test_a_process_that_is_no_child_of_the_server(child: str) -> None:
    assert look_at(child, server=os.getppid()).runs is False


def test_another_plugin_whose_name_begins_alike(child: str, tmp_path: Path, sleep: Path) -> None:
    shorter = tmp_path / "plugins" / "com.example"
    shutil.copytree(child, shorter)
    assert look_at(str(shorter)).runs is False


@pytest.mark.parametrize(
    ("webapps", "evidence"),
    [
        ({ID: "1.1.0"}, Evidence(True, WEB_PART)),
        ({ID: "1.0.0"}, Evidence(False, WEB_PART, "version 1.0.0")),
        ({}, Evidence(False, WEB_PART, "none is given")),
        (None, Evidence(False, WEB_PART, "none is given")),
    ],
)
def test_a_web_part(tmp_path: Path, webapps: Optional[Dict[str, str]], evidence: Evidence) -> None:
    assert look_at(install(tmp_path, True, None), webapps) == evidence


def test_a_web_part_is_not_enough_where_a_binary_should_run(tmp_path: Path, sleep: Path) -> None:
    found = look_at(install(tmp_path, True, sleep), {ID: "1.1.0"})
    assert (found.runs, found.by) == (False, PROCESS)


def test_of_a_script_nothing_can_be_seen(tmp_path: Path) -> None:
    assert look_at(install(tmp_path, False, None)) == Evidence(None, NOTHING)
