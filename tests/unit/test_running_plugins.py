"""Whether a plugin runs, seen from outside: web parts, and real processes of the kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Dict, Iterator, Optional

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._installed import Installed, scan_plugins
from ansible_collections.plugops.mattermost.plugins.module_utils._root import Root
from ansible_collections.plugops.mattermost.plugins.module_utils._running_plugins import (
    NOTHING,
    PROCESS,
    WEB_PART,
    Evidence,
    evidence_of,
    executables_of_children,
)

from support.bundles import SERVER_EXECUTABLE, make_bundle

ID = "com.example.a"


def install(directory: Path, webapp: bool, program: Optional[Path]) -> Installed:
    """A plugin, unpacked; its server part is a copy of a program, or a script."""
    bundle = make_bundle(directory, ID, "1.1.0", webapp=webapp, server=True)
    plugins = directory / "plugins"
    with tarfile.open(bundle) as archive:
        archive.extractall(plugins)
    if program is not None:
        shutil.copy(program, plugins / ID / SERVER_EXECUTABLE)
    return scan_plugins(str(plugins), Root(None), None).plugins[ID]


@pytest.fixture
def sleep() -> Path:
    found = shutil.which("sleep")
    assert found is not None
    return Path(found).resolve()


@pytest.fixture
def child(tmp_path: Path, sleep: Path) -> Iterator[Installed]:
    """A plugin whose server part is a child of this process."""
    plugin = install(tmp_path, False, sleep)
    process = subprocess.Popen([os.path.join(plugin.path, SERVER_EXECUTABLE), "60"])
    yield plugin
    process.kill()
    process.wait()


def look_at(plugin: Installed, webapps: Optional[Dict[str, str]] = None) -> Evidence:
    return evidence_of(plugin, "1.1.0", plugin.path, webapps, executables_of_children(os.getpid()))


def test_a_child_that_runs_the_plugins_program(child: Installed) -> None:
    assert look_at(child) == Evidence(True, PROCESS)


def test_a_child_that_runs_a_program_that_was_replaced(child: Installed, sleep: Path) -> None:
    path = os.path.join(child.path, SERVER_EXECUTABLE)
    os.unlink(path)
    shutil.copy(sleep, path)
    found = look_at(child)
    assert (found.runs, found.by) == (False, PROCESS)
    assert child.path in found.found


def test_a_process_that_is_no_child_of_the_server(child: Installed) -> None:
    programs = executables_of_children(os.getppid())
    assert evidence_of(child, "1.1.0", child.path, None, programs).runs is False


def test_another_plugin_whose_name_begins_alike(child: Installed, tmp_path: Path, sleep: Path) -> None:
    shorter = tmp_path / "plugins" / "com.example"
    shutil.copytree(child.path, shorter)
    assert evidence_of(child, "1.1.0", str(shorter), None, executables_of_children(os.getpid())).runs is False


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
