# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role test_cluster on one real host that is several app servers: what stands in the way, cut-off runs, neighbours.

Three hosts, one app server each, from nothing to nothing: molecule/test_cluster.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest
import yaml

from plugops_tests.clusters import broken as cluster
from plugops_tests.clusters.artifacts import NEW, make_artifacts, plugin_ids
from plugops_tests.hosts import cluster as hosts
from plugops_tests.servers.session import read_result
from plugops_tests.support.bundles import make_bundle
from plugops_tests.support.playbooks import REPOSITORY, Run, clean_environment, program, run_playbook

pytestmark = pytest.mark.hosts

PLUGINS = plugin_ids(2)
SNAPSHOT = (REPOSITORY / "molecule/test_cluster/snapshot.py").read_text()
BEFORE = "/dev/shm/before.txt"


@dataclass(frozen=True)
class Machine:
    """One host, two app servers."""

    place: Path
    ssh_config: Path

    def ssh(self, command: str, stdin: str = "", check: bool = True) -> str:
        argv = ["ssh", "-F", str(self.ssh_config), "-l", "root", "machine", command]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout

    def given(self, name: str = "test", version: str = "9.10.0", **more: Any) -> Dict[str, Any]:
        return {
            "test_cluster_name": name,
            "test_cluster_release": str(self.place / f"mattermost-{version}.tar.gz"),
            "test_cluster_controller_directory": str(self.place / "kept" / name),
            "mattermost_plugins": [{"src": str(self.place / f"{plugin_id}-{NEW}.tar.gz")} for plugin_id in PLUGINS],
            **more,
        }

    def play(self, playbook: str, given: Dict[str, Any], *options: str, may_fail: bool = False) -> Run:
        return run_playbook(f"playbooks/{playbook}.yml", self.place / "inventory.json", given, options, may_fail)

    def killed(self, given: Dict[str, Any], task: str) -> None:
        """A run that is killed when this task begins."""
        variables = self.place / "killed.json"
        variables.write_text(json.dumps(given))
        argv = [program("ansible-playbook"), "-i", str(self.place / "inventory.json"), "-e", f"@{variables}"]
        run = subprocess.Popen(
            [*argv, "playbooks/test_cluster.yml"],
            cwd=REPOSITORY,
            env=clean_environment(PYTHONUNBUFFERED="1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert run.stdout is not None
        watchdog = threading.Timer(300, run.kill)
        watchdog.start()
        seen = any(f": {task}]" in line for line in run.stdout)
        os.killpg(run.pid, signal.SIGKILL)
        watchdog.cancel()
        run.wait()
        run.stdout.close()
        assert seen

    def keep_snapshot(self) -> None:
        self.ssh(f"python3 - keep {BEFORE}", SNAPSHOT)

    def differences(self) -> str:
        return self.ssh(f"python3 - compare {BEFORE}", SNAPSHOT, check=False).strip()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    missing = cluster.missing()
    if missing:
        pytest.skip(f"no test hosts on this machine: {'; '.join(missing)}")
    place = tmp_path_factory.mktemp("test-cluster")
    for version in ("9.10.0", "5.36.1"):
        make_artifacts(place, version, len(PLUGINS), files=2)
    state_dir = place / "hosts"
    try:
        hosts.up(state_dir, hosts.Wanted(("machine",), "bookworm", "machines", "deploy", ()))
        made = yaml.safe_load((state_dir / "inventory.yml").read_text())["all"]
        address = made["children"]["machines"]["hosts"]["machine"]
        group = {"hosts": {"app1": address, "app2": address}, "vars": made["vars"]}
        (place / "inventory.json").write_text(json.dumps({"mattermost_app_servers": group}))
        found = Machine(place, state_dir / "ssh_config")
        found.keep_snapshot()
        yield found
    finally:
        hosts.down(state_dir)


def message(run: Run) -> str:
    assert run.returncode != 0
    return "\n".join(str(task["result"].get("msg")) for task in run.tasks if task["status"] == "failed")


def test_packages_of_a_second_cluster_go_with_the_last_one_too(tmp_path: Path) -> None:
    record, playbook, inventory = (tmp_path / name for name in ("packages.json", "play.json", "inventory.json"))
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"all": {"hosts": {"localhost": here}}}))
    for before, now in (("a b", "a b nginx"), ("a b nginx", "a b nginx nginx-common postgresql"), ("a", "a")):
        given = {
            "test_cluster_packages_before": {"stdout_lines": before.split()},
            "test_cluster_packages_now": {"stdout_lines": now.split()},
            "test_cluster_packages_path": str(record),
        }
        role = {"name": "plugops.mattermost.test_cluster", "tasks_from": "packages_record"}
        tasks = [{"ansible.builtin.include_role": role}]
        playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        run_playbook(str(playbook), inventory, given)
    assert json.loads(record.read_text()) == ["nginx", "nginx-common", "postgresql"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"test_cluster_release_sha256": "0" * 64}, r"found sha256 [0-9a-f]{64} of .*, wanted 0{64}\. What to do"),
        (
            {"test_cluster_database": "postgres://user:secret-of-test@127.0.0.1:5999/mattermost"},
            r"no listener on 127\.0\.0\.1, port 5999, as seen from .* What to do",
        ),
        ({"test_cluster_first_port": 9000}, r"port 9002, which app2 needs, is taken .* found python3 .* What to do"),
    ],
)
def test_what_stands_in_the_way_is_said_before_anything_changes(
    machine: Machine, given: Dict[str, Any], words: str
) -> None:
    machine.ssh("systemd-run --quiet --unit=taken python3 -m http.server --bind 127.0.0.1 9002")
    machine.ssh("until ss -Hltn | grep -q :9002; do :; done")
    try:
        run = machine.play("test_cluster", machine.given(**given), may_fail=True)
    finally:
        machine.ssh("systemctl stop taken")
    assert re.search(words, message(run)), message(run)
    assert "secret-of-test" not in run.output
    assert machine.differences() == ""
    assert not (machine.place / "kept/test").exists()


@pytest.mark.matrix
def test_runs_that_are_cut_off_then_a_neighbour_then_nothing(machine: Machine) -> None:
    """Disk full, killed, database stopped; another version beside it; each is taken away alone."""
    given = machine.given()
    store = "/opt/mattermost-test/releases"
    machine.ssh(f"mkdir -p {store}; mount -t tmpfs -o size=64k,mode=755 small {store}")
    full = message(machine.play("test_cluster", given, may_fail=True))
    assert "the release cannot be unpacked" in full, full
    assert "No space left on device" in full
    machine.ssh(f"umount {store}")

    machine.killed(given, "Start the app server")
    machine.ssh("systemctl stop mattermost-test-postgresql.service")
    machine.play("test_cluster", given)
    assert machine.play("test_cluster", given).changed() == []
    _session(machine, "test", "9.10.0")

    old = _neighbour(machine)
    machine.play("test_cluster", old)
    _session(machine, "old", "5.36.1")
    _session(machine, "test", "9.10.0")
    config = json.loads(machine.ssh("cat /opt/mattermost-old/servers/app2/config/config.json"))
    assert config["FileSettings"]["Directory"] == "/opt/mattermost-old/filestore/"
    assert config["SqlSettings"]["DataSource"] == old["test_cluster_database"]
    machine.ssh("test ! -e /opt/mattermost-old/postgresql && ! pgrep -u mattermost-old postgres")

    machine.play("test_cluster_destroy", old)
    _session(machine, "test", "9.10.0")
    machine.ssh("systemctl stop releases && rm -r /srv/releases")
    machine.play("test_cluster_destroy", given)
    assert machine.differences() == ""
    assert not list((machine.place / "kept").iterdir())


def test_what_the_controller_keeps_stays_where_no_machine_has_the_cluster(machine: Machine) -> None:
    kept = machine.place / "kept" / "elsewhere"
    kept.mkdir(parents=True)
    (kept / "token").write_text("a token of a cluster on other machines")
    run = machine.play("test_cluster_destroy", machine.given("elsewhere"))
    assert (kept / "token").exists()
    assert "no record of the cluster on any machine" in run.output
    assert run.changed() == []


@pytest.mark.matrix
def test_a_cluster_that_was_hardly_begun_is_taken_away(machine: Machine) -> None:
    """What else lies in the controller's directory stays."""
    given = machine.given("begun")
    kept = machine.place / "kept" / "begun"
    kept.mkdir(parents=True)
    (kept / "notes.txt").write_text("somebody's")
    machine.killed(given, "Initialize the database")
    assert (kept / "database_password").exists()
    machine.play("test_cluster_destroy", given)
    assert machine.differences() == ""
    assert [path.name for path in kept.iterdir()] == ["notes.txt"]


@pytest.mark.matrix
def test_an_upgrade_keeps_the_plugins_that_fit_and_names_those_that_do_not(machine: Machine) -> None:
    """From 6.0 on servers do not read the key under which a manifest of 4.x has the server part."""
    misfit = make_bundle(
        machine.place, "com.example.misfit", NEW, webapp=False, server=True, extra_manifest={"server": None}
    )
    given = machine.given("up", "5.36.1")
    given["mattermost_plugins"].append({"src": str(misfit)})
    machine.play("test_cluster", given)
    server = "/opt/mattermost-up/servers/app2"
    machine.ssh(f"cd {server} && echo mine | tee data/kept.txt logs/kept.txt && touch client/plugins/kept.txt")

    newer = machine.given("up", "9.10.0", mattermost_plugins=given["mattermost_plugins"])
    said = message(machine.play("test_cluster", newer, may_fail=True))
    assert "Mattermost 9.10.0 does not run com.example.misfit (" in said
    assert "must at least have a web app or server component" in said
    given["mattermost_plugins"][-1]["enabled"] = False
    machine.play("test_cluster", newer)
    _session(machine, "up", "9.10.0")
    assert machine.ssh(f"cd {server} && cat data/kept.txt logs/kept.txt client/plugins/kept.txt") == "mine\nmine\n"

    machine.play("test_cluster_destroy", newer)
    assert machine.differences() == ""


def _neighbour(machine: Machine) -> Dict[str, Any]:
    """A cluster of another version: release from a URL, a database that is there, one filestore."""
    release = machine.place / "mattermost-5.36.1.tar.gz"
    machine.ssh("mkdir /srv/releases")
    with release.open("rb") as content:
        argv = ["ssh", "-F", str(machine.ssh_config), "-l", "root", "machine", "cat > /srv/releases/old.tar.gz"]
        subprocess.run(argv, stdin=content, check=True)
    machine.ssh(
        "systemd-run --quiet --unit=releases python3 -m http.server --bind 127.0.0.1 --directory /srv/releases 9100"
    )
    psql = "runuser -u mattermost-test -- /usr/lib/postgresql/15/bin/psql -h /run/mattermost-test-postgresql -p 8450"
    machine.ssh(f"cd / && {psql} postgres -c 'CREATE DATABASE old OWNER mattermost'")
    machine.ssh(
        "echo host old mattermost all scram-sha-256 >> /opt/mattermost-test/postgresql/pg_hba.conf"
        " && systemctl reload mattermost-test-postgresql"
    )
    password = (machine.place / "kept/test/database_password").read_text().split()[0]
    return machine.given(
        "old",
        test_cluster_first_port=8500,
        test_cluster_release="http://127.0.0.1:9100/old.tar.gz",
        test_cluster_release_sha256=hashlib.sha256(release.read_bytes()).hexdigest(),
        test_cluster_database=f"postgres://mattermost:{password}@127.0.0.1:8450/old?sslmode=disable",
        test_cluster_filestore="shared",
    )


def _session(machine: Machine, name: str, version: str) -> None:
    """Log in and list the plugins, by load balancer and nodes, which listen on the loopback of the host alone."""
    result = read_result(machine.place / "kept" / name)
    assert {node["server_version"] for node in result["nodes"]} == {version}
    sources = (REPOSITORY / "tests/plugops_tests/servers/session.py").read_text()
    for url in [result["url"], *(node["url"] for node in result["nodes"])]:
        code = f"""{sources}
session = Session.log_in({url!r}, {result["admin"]["username"]!r}, {result["admin"]["password"]!r})
print(json.dumps(session.running_plugins()))
"""
        assert json.loads(machine.ssh("python3 -", code)) == dict.fromkeys(PLUGINS, NEW), url
