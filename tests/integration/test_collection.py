"""The collection as an operator installs it: built, installed from the tarball, used far from the repository."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any, Dict, List

import pytest

from sandbox.app_server import NEW, PLUGIN_ID, VERSION, make_sandbox, plugin_version
from support.playbooks import REPOSITORY, clean_environment, program

pytestmark = pytest.mark.slow


def run(command: List[str], cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=clean_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("build")
    run([program("ansible-galaxy"), "collection", "build", "--output-path", str(place)], REPOSITORY)
    (built,) = place.glob("plugops-mattermost-*.tar.gz")
    return built


@pytest.fixture(scope="module")
def installed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collections path that holds this collection and nothing else."""
    place = tmp_path_factory.mktemp("collections")
    run([program("ansible-galaxy"), "collection", "install", "--offline", str(tarball), "-p", str(place)], place)
    return place


def test_the_tarball_holds_what_runs_and_nothing_else(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = set(archive.getnames())
    top = {name.split("/")[0] for name in names}
    assert {"library", "plugins", "roles", "playbooks", "meta", "README.md", "LICENSE", "CHANGELOG"} <= top
    assert not top & {"tests", "molecule", "collections", ".venv", ".git", ".ci", ".sandbox", ".cache"}
    assert not [name for name in names if name.endswith((".pyc", ".tar.gz"))]


def test_modules_and_role_are_documented(installed: Path) -> None:
    names = [f"plugops.mattermost.{path.stem}" for path in (REPOSITORY / "library").glob("*.py")]
    documents = json.loads(
        run([program("ansible-doc"), "--json", *names], installed, ANSIBLE_COLLECTIONS_PATH=str(installed))
    )
    assert sorted(documents) == sorted(names)
    assert all(document["doc"]["options"] and document["examples"] for document in documents.values())


def test_playbooks_work_far_from_the_repository(installed: Path, tmp_path: Path) -> None:
    place = tmp_path / "sandbox"
    servers = make_sandbox(place)
    inventory = tmp_path / "inventory.json"
    variables: Dict[str, Any] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "mattermost_become": False,
        "mattermost_server_version": VERSION,
        "mattermost_plugin_settings": {"EnableUploads": True},
        "mattermost_plugins": [{"src": str(place / "bundles" / f"{PLUGIN_ID}-{NEW}.tar.gz")}],
    }
    hosts = {server.name: {"mattermost_root": str(server.root)} for server in servers}
    inventory.write_text(json.dumps({"mattermost_app_servers": {"hosts": hosts, "vars": variables}}))

    def playbook(name: str) -> str:
        return run(
            [program("ansible-playbook"), "-i", str(inventory), f"plugops.mattermost.{name}"],
            tmp_path,
            ANSIBLE_COLLECTIONS_PATH=str(installed),
        )

    assert f"plugins.{PLUGIN_ID}.version: (none) -> {NEW}" in playbook("plan")
    playbook("site")
    assert [plugin_version(server) for server in servers] == [NEW] * 3
    assert playbook("site").count("changed=0") == 3
    assert "app2: nothing to do" in playbook("plan")


def test_a_module_works_from_a_library_directory(tmp_path: Path) -> None:
    server = make_sandbox(tmp_path / "sandbox")[0]
    command = [
        program("ansible"),
        "localhost",
        "-c",
        "local",
        "-M",
        str(REPOSITORY / "library"),
        "-m",
        "mattermost_service_directory",
        "-a",
        f"root={server.root}",
    ]
    output = run(command, tmp_path, ANSIBLE_MODULE_UTILS=str(REPOSITORY / "plugins" / "module_utils"))
    assert "CHANGED" in output
    assert str(server.working_directory()).endswith("/opt/mattermost")
