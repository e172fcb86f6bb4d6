# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, addresses, inventory and plans of test hosts: everything that can be checked without starting one."""

from __future__ import annotations

import dataclasses
import ipaddress
import multiprocessing
import os
import select
import shutil
import string
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from plugops_tests.hosts import access, cgroups, cluster, commands, machine, names, network, rootfs
from plugops_tests.hosts.commands import HostsError

CLUSTER = st.from_regex(r"[0-9a-f]{6}", fullmatch=True)
HOST = st.from_regex(names.HOST_NAME, fullmatch=True)
DIRECTORY = st.text(string.ascii_letters + string.digits + " %'äß:,{-_", min_size=1, max_size=20).map(
    lambda text: Path("/srv") / text
)
SUBNET = ipaddress.IPv4Network("198.18.7.0/24")
needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is not on this machine")


@given(CLUSTER, HOST, st.integers(1, network.MOST_HOSTS))
def test_names_fit_the_kernel_and_lead_back_to_their_cluster(cluster_id: str, host: str, index: int) -> None:
    for interface in (names.bridge(cluster_id), names.veth(cluster_id, index)):
        assert len(interface) <= 15
        match = names.INTERFACE.fullmatch(interface)
        assert match is not None
        assert match["id"] == cluster_id
    for pattern, name in (
        (names.NAMESPACE, names.namespace(cluster_id, host)),
        (names.CGROUP, names.cgroup(cluster_id)),
    ):
        match = pattern.fullmatch(name)
        assert match is not None
        assert match["id"] == cluster_id
    assert len(names.namespace(cluster_id, host)) <= 64  # systemd-nspawn --machine


def test_a_cluster_is_named_by_the_real_path_of_its_state_directory(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert names.cluster_id(tmp_path / "link") == names.cluster_id(tmp_path / "real")
    assert names.cluster_id(tmp_path / "real") != names.cluster_id(tmp_path / "other")


def test_control_sockets_fit_into_a_socket_address() -> None:
    # sun_path holds 108 bytes; ssh adds a random suffix of 17 while it connects, Ansible names the socket by 10
    assert len(str(names.control_path_dir("abcdef"))) + 1 + 10 + 17 < 108


TAKEN = st.lists(
    st.builds(
        lambda number, prefix: ipaddress.IPv4Network((number, prefix), strict=False),
        st.integers(int(ipaddress.IPv4Address("198.17.0.0")), int(ipaddress.IPv4Address("198.20.255.255"))),
        st.integers(17, 32),
    ),
    max_size=6,
)


@given(TAKEN)
def test_a_free_subnet_overlaps_with_nothing_that_is_taken(taken: list[ipaddress.IPv4Network]) -> None:
    try:
        found = network.free_subnet(taken)
    except HostsError:
        assert all(any(one.overlaps(net) for net in taken) for one in ipaddress.ip_network("198.18.0.0/15").subnets(7))
        return
    assert found.prefixlen == 24
    assert found.subnet_of(ipaddress.IPv4Network("198.18.0.0/15"))
    assert not any(found.overlaps(net) for net in taken)


def test_no_free_subnet_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(HostsError, match="no free /24"):
        network.free_subnet([ipaddress.IPv4Network("198.18.0.0/15")])


@given(st.integers(1, network.MOST_HOSTS))
def test_each_host_has_an_address_of_its_own(count: int) -> None:
    hosts = [f"app{number}" for number in range(count)]
    found = network.addresses(SUBNET, hosts)
    assert list(found) == hosts
    assert len(set(found.values())) == count
    usable = {str(address) for address in SUBNET.hosts()} - {"198.18.7.1"}
    assert set(found.values()) <= usable


@given(DIRECTORY, st.dictionaries(HOST, st.just("198.18.7.11"), min_size=1, max_size=4))
def test_the_inventory_is_yaml_that_says_how_to_reach_each_host(state_dir: Path, addresses: dict[str, str]) -> None:
    if "{{" in str(state_dir) or "{%" in str(state_dir):
        with pytest.raises(HostsError, match="template"):
            access.inventory(state_dir, addresses, "apps", "deploy", Path("/run/x"))
        return
    document = yaml.safe_load(access.inventory(state_dir, addresses, "apps", "deploy", Path("/run/x")))
    assert document["all"]["children"] == {"apps": {"hosts": {h: {"ansible_host": a} for h, a in addresses.items()}}}
    variables = document["all"]["vars"]
    assert variables["ansible_user"] == "deploy"
    assert variables["ansible_ssh_private_key_file"] == str(state_dir / "id_ed25519")


@needs_ssh
@pytest.mark.parametrize("directory", ["plain", "with space", "100%", "ä'ß", "a,b:c"])
@pytest.mark.parametrize("destination", ["app2", "198.18.7.12"])
def test_ssh_reads_the_ssh_config_as_it_is_meant(tmp_path: Path, directory: str, destination: str) -> None:
    state_dir = tmp_path / directory
    state_dir.mkdir()
    config = state_dir / "ssh_config"
    config.write_text(access.ssh_config(state_dir, {"app1": "198.18.7.11", "app2": "198.18.7.12"}, "deploy"))
    done = subprocess.run(
        ["ssh", "-G", "-F", str(config), destination], capture_output=True, text=True, check=True, timeout=10
    )
    read = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    wanted = {
        "hostname": "198.18.7.12",
        "hostkeyalias": "app2",
        "user": "deploy",
        "stricthostkeychecking": "true",
    }
    assert {key: read[key] for key in wanted} == wanted
    # ssh -G prints %% as it stands in the file, and expands it when it opens the file
    assert read["identityfile"].strip('"').replace("%%", "%") == str(state_dir / "id_ed25519")
    assert read["userknownhostsfile"].strip('"').replace("%%", "%") == str(state_dir / "known_hosts")


def test_a_private_key_never_gets_into_a_command_line(tmp_path: Path) -> None:
    (tmp_path / "ssh_host_ed25519_key").write_text("PRIVATE")
    (tmp_path / "ssh_host_ed25519_key.pub").write_text("PUBLIC")
    one = machine.Machine("abcdef", "app1", Path("/cache/root"), tmp_path, ("/srv/a:/srv/b",), ("/srv/c:/srv/d",))
    plan = machine.plan(one, Path("/cgroup"), "KEY", {"app1": "198.18.7.11"})
    assert "PRIVATE" in str(plan["files"])
    assert "PRIVATE" not in str(plan["nspawn"]) + str(plan["environment"])
    assert {"--bind-ro=/srv/a:/srv/b", "--bind=/srv/c:/srv/d"} <= set(machine.nspawn_command(one))


def test_a_changed_recipe_is_another_directory_in_the_cache() -> None:
    recipe = rootfs.Recipe("bookworm")
    others = [
        dataclasses.replace(recipe, suite="trixie"),
        dataclasses.replace(recipe, packages=(*recipe.packages, "less")),
        dataclasses.replace(recipe, masked=()),
        dataclasses.replace(recipe, removed=()),
        dataclasses.replace(recipe, files=()),
        dataclasses.replace(recipe, deploy=("deploy", 1001)),
    ]
    assert len({one.directory_name for one in (recipe, *others)}) == 1 + len(others)
    assert recipe.directory_name == rootfs.Recipe("bookworm").directory_name


def test_only_a_finished_root_file_system_counts_as_cached(tmp_path: Path) -> None:
    target = tmp_path / rootfs.Recipe("bookworm").directory_name
    (rootfs.workshop_of(target) / "root").mkdir(parents=True)
    assert rootfs.cached("bookworm", tmp_path) is None
    target.mkdir()
    assert rootfs.cached("bookworm", tmp_path) == target
    assert rootfs.ensure("bookworm", tmp_path) == target  # nothing is built, no mirror is asked


@pytest.mark.parametrize(("suite", "cache"), [("buster", "/var/cache/x"), ("bookworm", "/var/cache/a:b")])
def test_what_cannot_be_built_is_refused_at_once(suite: str, cache: str) -> None:
    with pytest.raises(HostsError, match=r"buster|a:b"):
        rootfs.ensure(suite, Path(cache))


def test_mount_points_are_read_as_proc_5_writes_them() -> None:
    text = (
        "25 30 0:22 / /sys rw,relatime shared:7 - sysfs sysfs rw\n"
        "33 25 0:28 / /sys/fs/cgroup\\040two rw shared:9 master:1 - cgroup2 cgroup2 rw\n"
        "34 25 0:29 / /b\\134ä rw - cgroup2 none rw\n"
        "35 25 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    )
    assert cgroups.mount_points("cgroup2", text) == [Path("/sys/fs/cgroup two"), Path("/b\\ä")]


def test_the_state_comes_back_as_it_was_written(tmp_path: Path) -> None:
    wanted = cluster.Wanted(("app1", "app2"), "bookworm", "apps", "deploy", ("/a:/b",))
    state = cluster.State(wanted, {"app1": "198.18.7.11", "app2": "198.18.7.12"}, ready=True)
    assert cluster.State.read(tmp_path) is None
    state.write(tmp_path)
    assert cluster.State.read(tmp_path) == state
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize(
    ("hosts", "bind", "message"),
    [
        ((), "/:/x", "1 to 200"),
        (("app1", "app1"), "/:/x", "different"),
        (("App1",), "/:/x", "'App1' is not a host name"),
        (("app1\nx",), "/:/x", "is not a host name"),
        (("app1",), "/nonexistent:/x", "/nonexistent does not exist"),
    ],
)
def test_a_wrong_wish_is_refused_before_anything_is_made(
    tmp_path: Path, hosts: tuple[str, ...], bind: str, message: str
) -> None:
    with pytest.raises(HostsError, match=message):
        cluster.up(tmp_path / "state", cluster.Wanted(hosts, "bookworm", "apps", "deploy", (bind,)))
    assert not (tmp_path / "state").exists()


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not on this machine")
def test_a_failing_helper_is_named_with_what_it_said() -> None:
    assert commands.run(["cat"], text="hello") == "hello"
    with pytest.raises(HostsError, match=r"sh -c 'echo why >&2; exit 3' failed \(3\): why"):
        commands.run(["sh", "-c", "echo why >&2; exit 3"])


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not on this machine")
def test_a_helper_dies_with_us(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    program = (
        f"from plugops_tests.hosts import commands; commands.run(['sh', '-c', 'echo $$ > {pid_file}; exec sleep 60'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(commands.__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-c", program], env=environment)
    try:
        deadline = time.monotonic() + 10
        while not (text := _read(pid_file)).endswith("\n"):
            assert time.monotonic() < deadline
        helper = os.pidfd_open(int(text))
    finally:
        process.kill()
        process.wait(10)
    try:
        assert select.select([helper], [], [], 5)[0]  # readable when it has ended (pidfd_open(2))
    finally:
        os.close(helper)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _hold(directory: Path, held: multiprocessing.synchronize.Event, release: multiprocessing.synchronize.Event) -> None:
    with commands.locked(directory):
        held.set()
        release.wait(10)
        directory.rmdir()  # as `down` does at its end


def test_a_locked_directory_has_one_holder_also_when_it_is_removed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    directory = tmp_path / "state"
    holder = context.Process(target=_hold, args=(directory, held, release))
    holder.start()
    try:
        assert held.wait(10)
        started = time.monotonic()
        context.Process(target=_release_after, args=(release, 0.3)).start()
        with commands.locked(directory):
            assert time.monotonic() - started >= 0.3
            assert directory.is_dir()  # made anew: the one that we waited for is gone
    finally:
        release.set()
        holder.join(10)


def _release_after(release: multiprocessing.synchronize.Event, seconds: float) -> None:
    release.wait(seconds)
    release.set()
