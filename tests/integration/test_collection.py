# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as an operator installs it: built, installed from the tarball, used far from the repository."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from plugops_tests.sandbox.app_server import (
    NEW,
    PLUGIN_ID,
    VERSION,
    AppServer,
    make_sandbox,
    plugin_version,
    remove_sandbox,
)
from plugops_tests.sandbox.demo import look
from plugops_tests.support import compiling
from plugops_tests.support.playbooks import REPOSITORY, clean_environment, program

pytestmark = pytest.mark.slow

COLLECTION = "ansible_collections/plugops/mattermost"
# Nothing for those who work on the collection, and nothing that their tools leave behind.
CONTENT = {
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "FILES.json",
    "LICENSE",
    "LICENSES",
    "MANIFEST.json",
    "README.md",
    "SECURITY.md",
    "changelogs",
    "docs",
    "examples",
    "inventories",
    "meta",
    "playbooks",
    "plugins",
    "roles",
}


def run(command: List[str], cwd: Path, **environment: str) -> str:
    """Run one of Ansible's programs as somebody who has set nothing but ``environment``."""
    inherited = clean_environment(HOME=str(cwd), **environment)
    inherited.pop("XDG_CACHE_HOME", None)
    assert inherited["PYTHONPATH"] == str(compiling.PLACE), "nothing of this repository is found by it"
    done = subprocess.run(
        [program(command[0]), *command[1:]],
        cwd=cwd,
        env=inherited,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
    return done.stdout


def changes(output: str) -> List[int]:
    """How many changes the recap of a playbook counts, host by host."""
    return [int(count) for count in re.findall(r" changed=(\d+) ", output)]


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("build")
    run(["ansible-galaxy", "collection", "build", str(REPOSITORY), "--output-path", str(place)], place)
    (built,) = place.glob("plugops-mattermost-*.tar.gz")
    return built


@pytest.fixture(scope="module")
def installed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collections path that holds this collection and nothing else."""
    place = tmp_path_factory.mktemp("collections")
    run(["ansible-galaxy", "collection", "install", "--offline", str(tarball), "-p", str(place)], place)
    return place


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Path]:
    """Where to make one; it may come to lie elsewhere, and is removed."""
    place = tmp_path / "sandbox"
    try:
        yield place
    finally:
        remove_sandbox(place)


def only(collections: Path) -> Dict[str, str]:
    """Environment in which no other collection is found, wherever it may be installed."""
    return {"ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}


def write_inventory(place: Path, servers: List[AppServer], **variables: Any) -> Path:
    inventory = place / "inventory.json"
    hosts = {server.name: {"mattermost_root": str(server.root)} for server in servers}
    common = {
        "ansible_connection": "local",
        "ansible_pipelining": True,
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }
    inventory.write_text(json.dumps({"mattermost_app_servers": {"hosts": hosts, "vars": {**common, **variables}}}))
    return inventory


def test_the_tarball_holds_what_runs_and_nothing_else(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = archive.getnames()
    assert {name.split("/")[0] for name in names} == CONTENT
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".tar.gz", ".retry"))]


def test_the_installed_modules_are_files_of_the_collection(installed: Path) -> None:
    collection = (installed / COLLECTION).resolve()
    modules = sorted((collection / "plugins" / "modules").glob("*.py"))
    assert [path.name for path in modules] == sorted(
        path.name for path in (REPOSITORY / "plugins" / "modules").glob("*.py")
    )
    for path in modules:
        assert collection in path.resolve().parents, "a link that leads out of the collection"
        assert path.read_bytes() == (REPOSITORY / "plugins" / "modules" / path.name).read_bytes()


def test_playbooks_role_and_modules_work_far_from_the_repository(
    installed: Path, sandbox: Path, tmp_path: Path
) -> None:
    servers = make_sandbox(sandbox, names=["app2", "app3"])  # without the bundle, and with an older one
    inventory = write_inventory(
        tmp_path,
        servers,
        mattermost_become=False,
        mattermost_rolling_batch=2,
        mattermost_server_version=VERSION,
        mattermost_plugin_settings={"EnableUploads": True},
        mattermost_plugins=[{"src": str(sandbox / "bundles" / f"{PLUGIN_ID}-{NEW}.tar.gz")}],
    )
    own = tmp_path / "own.yml"
    own.write_text(
        json.dumps(
            [
                {
                    "hosts": "all",
                    "gather_facts": False,
                    "roles": ["plugops.mattermost.app_server"],
                    "post_tasks": [
                        {"plugops.mattermost.mattermost_service_directory": {"root": "{{ mattermost_root }}"}}
                    ],
                }
            ]
        )
    )

    def playbook(name: str) -> str:
        return run(["ansible-playbook", "-i", str(inventory), name], tmp_path, **only(installed))

    assert f"plugins.{PLUGIN_ID}.version: (none) -> {NEW}" in playbook("plugops.mattermost.plan")
    assert [plugin_version(server) for server in servers] != [NEW] * 2
    assert min(changes(playbook("plugops.mattermost.site"))) > 0
    for server in servers:
        with server.process() as process:
            seen = look(process)
        assert (seen.status, seen.running, seen.complaint) == (200, [f"{PLUGIN_ID} {NEW}"], "")
    assert changes(playbook("plugops.mattermost.site")) == [0, 0]
    assert changes(playbook(str(own))) == [0, 0]
    assert "The app servers are clean." in playbook("plugops.mattermost.audit")
    assert "com.example.hello" in (tmp_path / "audit" / "audit.html").read_text(encoding="utf-8")


def test_plugins_roles_and_playbooks_need_nothing_else_of_the_collection(
    installed: Path, sandbox: Path, tmp_path: Path
) -> None:
    """A collection that is part of a larger package must work when only these directories and meta are left."""
    shutil.copytree(installed, tmp_path / "collections", symlinks=True)
    collection = tmp_path / "collections" / COLLECTION
    for path in collection.iterdir():
        if path.name not in ("meta", "playbooks", "plugins", "roles"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    servers = make_sandbox(sandbox, names=["app2", "app3"])
    inventory = write_inventory(
        tmp_path,
        servers,
        mattermost_become=False,
        mattermost_server_version=VERSION,
        mattermost_plugin_settings={"EnableUploads": True},
        mattermost_plugins=[{"src": str(sandbox / "bundles" / f"{PLUGIN_ID}-{NEW}.tar.gz")}],
    )

    def playbook(name: str) -> str:
        command = ["ansible-playbook", "-i", str(inventory), f"plugops.mattermost.{name}"]
        output = run(command, tmp_path, **only(tmp_path / "collections"))
        assert "WARNING" not in output
        return output

    assert f"plugins.{PLUGIN_ID}.version: (none) -> {NEW}" in playbook("plan")
    assert min(changes(playbook("site"))) > 0
    assert [plugin_version(server) for server in servers] == [NEW] * 2
    assert changes(playbook("site")) == [0, 0]
    assert "The app servers are clean." in playbook("audit")


def test_modules_work_from_a_library_directory_beside_a_playbook(sandbox: Path, tmp_path: Path) -> None:
    (server,) = make_sandbox(sandbox, names=["app1"])
    inventory = write_inventory(tmp_path, [server])
    (tmp_path / "library").symlink_to(REPOSITORY / "plugins" / "modules")
    given = {"root": str(server.root), "server_version": VERSION}
    tasks = [
        {"mattermost_plugin_directories": given},
        {"mattermost_service_directory": given},
        {"mattermost_plugin_settings": {**given, "enable_uploads": True}},
        {"mattermost_plugin_info": given, "register": "report", "failed_when": "not report.healthy"},
        {
            "mattermost_plugin": {**given, "plugins": [{"src": "files/com.example.todo-1.2.0.tar.gz"}]},
            "register": "refused",
            "failed_when": "'without its action plugin' not in refused.msg",
        },
    ]
    play = tmp_path / "play.yml"
    play.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))

    environment = {**only(tmp_path / "none"), "ANSIBLE_MODULE_UTILS": str(REPOSITORY / "plugins" / "module_utils")}
    assert changes(run(["ansible-playbook", "-i", str(inventory), str(play)], tmp_path, **environment)) == [3]
    assert server.working_directory() == server.install_dir
