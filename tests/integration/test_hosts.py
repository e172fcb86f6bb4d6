# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test hosts themselves: real Debian systems come up, are used as Ansible uses them, and leave nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plugops_tests.hosts import cgroups, cluster, leftovers, machine, names, network, requirements, rootfs

ROOT = Path(__file__).parents[2]
SUITE = "bookworm"

pytestmark = pytest.mark.hosts


class Cluster:
    """A cluster as a person has it: by the command line, from the repository root."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.cluster_id = names.cluster_id(state_dir)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "plugops_tests.hosts", *arguments, "--state-dir", str(self.state_dir)]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command("up", "--suite", SUITE, *arguments),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": "tests"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": "tests"}
        done = subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def up(self, *arguments: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.run("up", "--suite", SUITE, *arguments).stdout)
        return document

    def down(self) -> bool:
        return bool(json.loads(self.run("down").stdout)["changed"])

    def left(self) -> list[str]:
        """What is left on the machine, seen from outside the code that removes it, and by that code."""
        seen = leftovers.of_cluster(self.cluster_id)
        for argv in (
            ["ip", "-o", "link"],
            ["ip", "netns"],
            ["findmnt", "--list", "--noheadings"],
            ["ls", "/run/netns"],
        ):
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            seen += [line for line in done.stdout.splitlines() if self.cluster_id in line]
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                commandline = (process / "cmdline").read_text(errors="replace").replace("\0", " ")
                if self.cluster_id in commandline or str(self.state_dir) in commandline:
                    seen.append(commandline)
                if self.cluster_id in (process / "mountinfo").read_text():
                    seen.append(f"a mount namespace held by {commandline}")
        groups = [path for path in Path("/sys/fs/cgroup").glob(f"**/plugops-{self.cluster_id}") if path.is_dir()]
        nspawn = Path("/run/systemd/nspawn").glob(f"*/*{self.cluster_id}*")
        return seen + [str(path) for path in (*groups, *nspawn)]

    def ssh(self, host: str, command: str, user: str = "deploy") -> str:
        argv = ["ssh", "-F", str(self.state_dir / "ssh_config"), "-l", user, host, command]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def _root_file_system() -> None:
    """Built before the first test, so that no test measures or interrupts debootstrap without meaning to."""
    lacking = requirements.missing(SUITE)
    if lacking:
        pytest.skip(f"this machine cannot run test hosts: {'; '.join(lacking)}")
    rootfs.ensure(SUITE)


@pytest.fixture
def new_cluster(tmp_path: Path) -> Iterator[Callable[[str], Cluster]]:
    made: list[Cluster] = []

    def make(name: str) -> Cluster:
        made.append(Cluster(tmp_path / name))
        return made[-1]

    yield make
    for one in made:
        one.run("down", check=False)
    assert [line for one in made for line in one.left()] == []


def wait_until(what: str, condition: Callable[[], object], timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout:g} s for {what}"
        time.sleep(0.001)


def ansible(one: Cluster, *arguments: str) -> str:
    argv = [str(Path(sys.executable).with_name("ansible")), "-i", str(one.state_dir / "inventory.yml"), *arguments]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_hosts_are_what_ansible_needs_and_go_without_a_trace(
    new_cluster: Callable[[str], Cluster], tmp_path: Path
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "release.txt").write_text("a release")
    one = new_cluster("state")

    document = one.up("--count", "2", "--bind-ro", f"{given}:/srv/given")
    assert document["changed"] is True
    assert sorted(document["hosts"]) == ["app1", "app2"]

    for host in ("app1", "app2"):
        assert one.ssh(host, "systemctl is-system-running") == "running"
        assert one.ssh(host, "hostname") == host
        assert one.ssh(host, "id -un", user="root") == "root"
        assert one.ssh(host, "cat /srv/given/release.txt") == "a release"
        assert one.ssh(host, "sudo touch /srv/given/x || echo refused") == "refused"
        assert one.ssh(host, "stat -f -c %T /sys/fs/cgroup") == "cgroup2fs"
    assert one.ssh("app1", "cat /etc/machine-id") != one.ssh("app2", "cat /etc/machine-id")
    assert (one.state_dir / "id_ed25519").stat().st_mode & 0o777 == 0o600

    pinged = ansible(one, "all", "-m", "ansible.builtin.ping", "--one-line")
    assert pinged.count("pong") == 2
    became = ansible(one, "mattermost_app_servers", "--become", "-m", "ansible.builtin.command", "-a", "id -un", "-o")
    assert became.count("(stdout) root") == 2
    plain = ansible(one, "all", "-m", "ansible.builtin.command", "-a", "id -un", "-o")
    assert plain.count("(stdout) deploy") == 2

    # Ansible keeps its connections open; one of them will never hear that its host is gone
    assert len(list(names.control_path_dir(one.cluster_id).iterdir())) == 2
    subprocess.run(["ip", "link", "set", names.veth(one.cluster_id, 2), "down"], check=True)

    assert one.up("--count", "2", "--bind-ro", f"{given}:/srv/given")["changed"] is False
    assert one.run("up", "--suite", SUITE, "--count", "1", check=False).returncode == 1
    assert json.loads(one.run("status").stdout) == {"ready": True, "hosts": {"app1": "running", "app2": "running"}}
    assert one.run("leftovers", check=False).returncode == 1

    assert one.down() is True
    assert one.left() == []
    assert not one.state_dir.exists()
    assert one.run("leftovers").stdout.strip() == "nothing is left"
    assert one.run("status", check=False).returncode == 1
    assert one.down() is False


def test_every_start_is_a_first_start(new_cluster: Callable[[str], Cluster]) -> None:
    one = new_cluster("state")
    own = ("/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub")
    one.up("--count", "1")
    before = [one.ssh("app1", f"cat {path}") for path in own]
    # what tests do to a host: rename what the root file system brought, change it, make it immutable
    rename = 'python3 -c \'import os; os.rename("/opt", "/opt.old")\''
    one.ssh("app1", f"{rename} && chattr +i /etc/hostname && echo x >> /etc/fstab", user="root")
    one.down()
    one.up("--count", "1")
    after = [one.ssh("app1", f"cat {path}") for path in own]
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert one.ssh("app1", "ls -d /opt*") == "/opt"
    assert "x" not in one.ssh("app1", "cat /etc/fstab").splitlines()
    assert "i" not in one.ssh("app1", "lsattr /etc/hostname").split()[0]


def test_clusters_live_side_by_side(new_cluster: Callable[[str], Cluster]) -> None:
    first, second = new_cluster("first"), new_cluster("second")
    starting = [first.start("--count", "1")]
    wait_until("a network namespace", lambda: network.namespaces(first.cluster_id) or starting[0].poll() is not None)
    starting.append(second.start("--count", "1"))  # it comes to see the namespace of the first, and must let it go
    for process in starting:
        assert process.wait(120) == 0
    addresses = [json.loads(process.communicate()[0])["hosts"]["app1"] for process in starting]
    assert addresses[0].rsplit(".", 1)[0] != addresses[1].rsplit(".", 1)[0]
    first.down()
    assert first.left() == []
    assert second.ssh("app1", "hostname") == "app1"


def in_matrix_but(names: Iterable[str], *in_every_run: str) -> list[Any]:
    """Parameters; all others are variants of those that run every time."""
    return [pytest.param(name, marks=[] if name in in_every_run else [pytest.mark.matrix]) for name in names]


CGROUPS = {
    "v2 alone, as systemd mounts it": "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
    "v2 beside v1": (
        "mount -t tmpfs tmpfs /sys/fs/cgroup && mkdir /sys/fs/cgroup/unified"
        " && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified"
    ),
    "not mounted": "true",
}


@pytest.mark.parametrize("layout", in_matrix_but(CGROUPS, "v2 beside v1"))
def test_hosts_run_whatever_cgroups_the_machine_has_mounted(new_cluster: Callable[[str], Cluster], layout: str) -> None:
    one = new_cluster("state")
    up, down = (shlex.join(one.command(command)) for command in ("up", "down"))
    ssh = shlex.join(["ssh", "-F", str(one.state_dir / "ssh_config"), "app1"])
    steps = [
        "umount --lazy --recursive /sys/fs/cgroup",
        CGROUPS[layout],
        f"{up} --suite {SUITE} --count 1 >&2",
        f"{ssh} 'stat -f -c %T /sys/fs/cgroup; systemctl is-system-running'",
        f"{down} >&2",
    ]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", "\n".join(steps)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "tests"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["cgroup2fs", "running"]), done.stderr
    assert one.left() == []


STAGES: dict[str, Callable[[Cluster], object]] = {
    "the state is written": lambda one: (one.state_dir / "state.json").exists(),
    "the bridge is there": lambda one: network.interfaces(one.cluster_id),
    "the namespaces are there": lambda one: len(network.namespaces(one.cluster_id)) == 2,
    "the first host is being started": lambda one: cgroups.clusters().get(one.cluster_id),
    "systemd runs on a host": lambda one: _supervisors(one),
}


def _supervisors(one: Cluster) -> list[int]:
    group = cgroups.clusters().get(one.cluster_id)
    return [pid for path in group.glob("app*") for pid in cgroups.supervisor(path)] if group else []


@pytest.mark.parametrize("stage", in_matrix_but(STAGES, "the bridge is there", "systemd runs on a host"))
def test_down_removes_what_a_killed_up_left_behind(new_cluster: Callable[[str], Cluster], stage: str) -> None:
    one = new_cluster("state")
    process = one.start("--count", "2")
    wait_until(stage, lambda: STAGES[stage](one) or process.poll() is not None)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL, process.communicate()
    assert (one.state_dir / "state.json").exists()
    assert one.run("status", check=False).returncode == 1

    assert one.down() is True
    assert one.left() == []
    assert not one.state_dir.exists()
    assert one.up("--count", "2")["changed"] is True  # and the place is free again


def test_down_finds_a_cluster_whose_state_directory_was_deleted(new_cluster: Callable[[str], Cluster]) -> None:
    one = new_cluster("state")
    one.up("--count", "1")
    subprocess.run(["rm", "-r", str(one.state_dir)], check=True)
    assert one.left() != []
    assert one.down() is True
    assert one.left() == []


def test_up_that_is_told_to_stop_cleans_up_itself(new_cluster: Callable[[str], Cluster]) -> None:
    one = new_cluster("state")
    process = one.start("--count", "2")
    wait_until("a host", lambda: _supervisors(one) or process.poll() is not None)
    process.terminate()
    assert process.wait(5) == 128 + signal.SIGTERM, process.communicate()
    assert one.left() == []
    assert not one.state_dir.exists()


def test_a_host_that_cannot_start_is_reported_with_its_console(new_cluster: Callable[[str], Cluster]) -> None:
    one = new_cluster("state")
    started = time.monotonic()
    done = one.run("up", "--suite", SUITE, "--count", "2", "--bind-ro", "/etc/hostname:not-absolute", check=False)
    assert done.returncode == 1
    assert "ended while it was starting" in done.stderr
    assert "not-absolute" in done.stderr  # what systemd-nspawn said
    assert time.monotonic() - started < cluster.BOOT_TIMEOUT / 2  # noticed when it happened
    assert one.left() == []


def test_a_host_that_hangs_is_killed_in_bounded_time(new_cluster: Callable[[str], Cluster]) -> None:
    one = new_cluster("state")
    one.up("--count", "2")
    group = cgroups.clusters()[one.cluster_id]
    for pid in cgroups.supervisor(group / "app1"):
        os.kill(pid, signal.SIGSTOP)
    started = time.monotonic()
    machine.stop_all({host: group / host for host in ("app1", "app2")}, timeout=2)
    assert 2 <= time.monotonic() - started < 10
    assert cgroups.processes(group) == []
    assert json.loads(one.run("status", check=False).stdout)["hosts"] == {"app1": "gone", "app2": "gone"}
    assert one.down() is True


@pytest.mark.slow
def test_a_build_that_was_killed_leaves_only_what_the_next_one_removes(tmp_path: Path) -> None:
    lacking = requirements.missing(SUITE, tmp_path)
    if lacking:
        pytest.skip(f"a root file system cannot be built here: {'; '.join(lacking)}")
    build = f"rootfs.ensure({SUITE!r}, Path({str(tmp_path)!r}))"
    program = f"from pathlib import Path; from plugops_tests.hosts import rootfs; {build}"
    environment = {**os.environ, "PYTHONPATH": "tests"}
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment)
    tree = rootfs.workshop_of(tmp_path / rootfs.Recipe(SUITE).directory_name) / "root"
    try:
        wait_until("packages to arrive", lambda: any(tree.glob("var/cache/apt/archives/*.deb")) or process.poll())
    finally:
        process.kill()
    assert process.wait(10) == -signal.SIGKILL
    wait_until("debootstrap to end", lambda: not _processes_naming(str(tmp_path)), timeout=10)
    assert rootfs.cached(SUITE, tmp_path) is None
    assert leftovers.dead_builds(tmp_path) == [tree.parent]
    rootfs.remove_tree(tree)
    assert not tree.exists()


def _processes_naming(text: str) -> list[str]:
    found = []
    for commandline in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if text in commandline.read_text(errors="replace") and commandline.parent.name != str(os.getpid()):
                found.append(commandline.parent.name)
    return found
