# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection on every ansible-core that it supports: from its tarball and from git."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from plugops_tests.sandbox.app_server import NEW, PLUGIN_ID, VERSION, make_sandbox, plugin_version, remove_sandbox
from plugops_tests.support.cores import CORES, environment, interpreter
from plugops_tests.support.playbooks import REPOSITORY, clean_environment

pytestmark = [pytest.mark.slow, pytest.mark.matrix]
ROLES = ("app_server", "test_cluster", "windows_service")


class Core:
    """One ansible-core with this collection installed, and nothing of the repository on its paths."""

    def __init__(self, programs: Path, place: Path) -> None:
        self._programs, self.place = programs, place
        self.collection = place / "ansible_collections/plugops/mattermost"

    def run(self, *command: str, rc: int = 0) -> str:
        more = {"HOME": str(self.place), "ANSIBLE_COLLECTIONS_PATH": str(self.place), "ANSIBLE_NOCOLOR": "1"}
        surroundings = clean_environment(**more, ANSIBLE_COLLECTIONS_SCAN_SYS_PATH="false")
        for name in ("PYTHONPATH", "XDG_CACHE_HOME"):
            surroundings.pop(name, None)
        argv = [str(self._programs / command[0]), *command[1:]]
        done = subprocess.run(argv, cwd=self.place, env=surroundings, capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        assert done.returncode == rc, f"{' '.join(command)}\n{output}"
        assert "[WARNING]" not in output, output
        assert "[DEPRECATION WARNING]" not in output, output
        return output


@pytest.fixture(params=list(CORES))
def programs(request: pytest.FixtureRequest) -> Path:
    found = environment(request.param)
    if found is None:
        pytest.skip(f"no Python {CORES[request.param][1]} on this machine, for ansible-core {request.param}")
    return found


@pytest.fixture(params=["tarball", "git"])
def core(request: pytest.FixtureRequest, programs: Path, tmp_path: Path) -> Core:
    return installed_from(request.param, programs, tmp_path)


def installed_from(kind: str, programs: Path, tmp_path: Path) -> Core:
    place = tmp_path / "collections"
    place.mkdir()
    core = Core(programs, place)
    if kind == "tarball":
        core.run("ansible-galaxy", "collection", "build", str(REPOSITORY), "--output-path", str(tmp_path))
        (source,) = (str(path) for path in tmp_path.glob("plugops-mattermost-*.tar.gz"))
    else:
        source = f"git+file://{REPOSITORY},HEAD"
    core.run("ansible-galaxy", "collection", "install", source, "-p", str(place))
    return core


@pytest.fixture
def last_for_python_3_8(tmp_path: Path) -> Core:
    """Of the supported releases the last one that manages hosts with Python 3.8, from the tarball."""
    programs = environment("2.19")
    if programs is None:
        pytest.skip("no fitting Python for ansible-core 2.19 on this machine")
    return installed_from("tarball", programs, tmp_path)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "sandbox"
    try:
        yield place
    finally:
        remove_sandbox(place)


def test_the_demos_playbooks_run_without_a_warning(core: Core, sandbox: Path) -> None:
    servers = make_sandbox(sandbox)
    common: Dict[str, Any] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "mattermost_become": False,
        "mattermost_server_version": VERSION,
        "mattermost_plugin_settings": {"EnableUploads": True},
        "mattermost_plugins": [{"src": str(sandbox / "bundles" / f"{PLUGIN_ID}-{NEW}.tar.gz")}],
    }
    hosts = {server.name: {"mattermost_root": str(server.root)} for server in servers}
    inventory = core.place / "inventory.json"
    inventory.write_text(json.dumps({"mattermost_app_servers": {"hosts": hosts, "vars": common}}))

    def playbook(name: str, *options: str, rc: int = 0) -> str:
        return core.run("ansible-playbook", "-i", str(inventory), f"plugops.mattermost.{name}", *options, rc=rc)

    assert "broken" in playbook("audit", rc=2)
    assert NEW in playbook("plan")
    playbook("site", "--diff")
    assert [plugin_version(server) for server in servers] == [NEW] * len(servers)
    assert playbook("site").count("changed=0 ") == len(servers)
    assert "The app servers are clean." in playbook("audit")
    playbook("parity")
    playbook("rollback", "--check")


def test_site_on_python_3_8(last_for_python_3_8: Core, sandbox: Path) -> None:
    python = interpreter("3.8")
    if python is None:
        pytest.skip("no Python 3.8 on this machine")
    core, server = last_for_python_3_8, make_sandbox(sandbox)[2]
    variables: Dict[str, Any] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": python,
        "mattermost_become": False,
        "mattermost_root": str(server.root),
        "mattermost_server_version": VERSION,
        "mattermost_plugin_settings": {"EnableUploads": True},
        "mattermost_plugins": [{"src": str(sandbox / "bundles" / f"{PLUGIN_ID}-{NEW}.tar.gz")}],
    }
    inventory = core.place / "inventory.json"
    inventory.write_text(json.dumps({"mattermost_app_servers": {"hosts": {"app": variables}}}))
    core.run("ansible-playbook", "-i", str(inventory), "plugops.mattermost.site")
    assert plugin_version(server) == NEW


def test_everything_has_a_page(core: Core) -> None:
    def listed(kind: str) -> List[str]:
        found = json.loads(core.run("ansible-doc", "-t", kind, "--list", "--json", "plugops.mattermost"))
        return sorted(found)

    def pages(kind: str, names: List[str]) -> Dict[str, Any]:
        found = json.loads(core.run("ansible-doc", "-t", kind, "--json", *names))
        assert sorted(found) == names
        return dict(found)

    modules = sorted(f"plugops.mattermost.{path.stem}" for path in (core.collection / "plugins/modules").glob("*.py"))
    assert listed("module") == modules
    for kind in ("module", "filter", "callback", "lookup"):
        names = listed(kind)
        assert names, kind
        for name, page in pages(kind, names).items():
            assert page["doc"]["short_description"], name
            assert page["doc"]["description"], name
            assert kind == "callback" or page["examples"], name
    roles = [f"plugops.mattermost.{role}" for role in ROLES]
    for name, page in json.loads(core.run("ansible-doc", "-t", "role", "--json", *roles)).items():
        for entry, point in page["entry_points"].items():
            assert point["short_description"], f"{name} {entry}"
            assert all(option["description"] for option in point.get("options", {}).values()), f"{name} {entry}"
