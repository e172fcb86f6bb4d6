# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of test hosts: up, down, status. All that is written down lies in its state directory."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from . import access, cgroups, leftovers, machine, names, network, requirements, rootfs
from .commands import DIES_WITH_US, HostsError, locked

BOOT_TIMEOUT = 90.0
STOP_TIMEOUT = 10.0
_STATE = "state.json"
_HOSTS = "hosts"


@dataclass(frozen=True)
class Wanted:
    """What a cluster shall be."""

    hosts: tuple[str, ...]
    suite: str
    group: str
    user: str
    bind_ro: tuple[str, ...]
    bind: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """What `up` has written down. `ready` only when every host answered."""

    wanted: Wanted
    addresses: dict[str, str]
    ready: bool

    def write(self, state_dir: Path) -> None:
        temporary = state_dir / f".{_STATE}"
        temporary.write_text(json.dumps(asdict(self), indent=2) + "\n")
        temporary.rename(state_dir / _STATE)

    @staticmethod
    def read(state_dir: Path) -> State | None:
        try:
            document = json.loads((state_dir / _STATE).read_text())
        except FileNotFoundError:
            return None
        wanted = document["wanted"]
        lists = {name: tuple(wanted[name]) for name in ("hosts", "bind_ro", "bind")}
        return State(Wanted(**{**wanted, **lists}), document["addresses"], document["ready"])


def up(state_dir: Path, wanted: Wanted, cache: Path = rootfs.DEFAULT_CACHE, mirror: str = "") -> tuple[State, bool]:
    """Make the cluster. Returns its state, and False when it was there already. A failure leaves nothing running."""
    _check(wanted)
    lacking = requirements.missing(wanted.suite, cache, mirror)
    if lacking:
        raise HostsError("this machine cannot run test hosts; missing:\n" + "\n".join(f"- {line}" for line in lacking))
    root = rootfs.ensure(wanted.suite, cache, mirror)
    with locked(state_dir):
        present = State.read(state_dir)
        if present and present.ready and present.wanted == wanted and set(status(state_dir).values()) == {"running"}:
            return present, False
        if present or leftovers.of_cluster(names.cluster_id(state_dir)):
            raise HostsError(f"{state_dir} holds another cluster, or what is left of one: take it down first")
        try:
            return _make(state_dir, wanted, root), True
        except BaseException:
            _remove(state_dir, patience=0)
            raise


def down(state_dir: Path) -> bool:
    """Remove the cluster, whatever there is of it. Returns False when there was nothing."""
    cluster = names.cluster_id(state_dir)
    if not state_dir.exists() and not leftovers.of_cluster(cluster):
        return False
    with locked(state_dir):
        state = State.read(state_dir)
        present = state is not None or bool(leftovers.of_cluster(cluster))
        _remove(state_dir, patience=STOP_TIMEOUT if state and state.ready else 0)
        return present


def status(state_dir: Path) -> dict[str, str]:
    """Host → "running" or "gone". Empty when there is no cluster."""
    state = State.read(state_dir)
    if state is None:
        return {}
    path = cgroups.clusters().get(names.cluster_id(state_dir))
    alive = {host: bool(path and cgroups.supervisor(path / host)) for host in state.wanted.hosts}
    return {host: "running" if running else "gone" for host, running in alive.items()}


def _check(wanted: Wanted) -> None:
    if not 0 < len(wanted.hosts) <= network.MOST_HOSTS or len(set(wanted.hosts)) < len(wanted.hosts):
        raise HostsError(f"give 1 to {network.MOST_HOSTS} different host names")
    for host in wanted.hosts:
        if not names.HOST_NAME.fullmatch(host):
            raise HostsError(f"{host!r} is not a host name ({names.HOST_NAME.pattern})")
    for option, binds in (("--bind-ro", wanted.bind_ro), ("--bind", wanted.bind)):
        for bind in binds:
            if not os.path.exists(bind.split(":")[0]):
                raise HostsError(f"{option} {bind}: {bind.split(':')[0]} does not exist")


def _make(state_dir: Path, wanted: Wanted, root: Path) -> State:
    cluster = names.cluster_id(state_dir)
    State(wanted, {}, ready=False).write(state_dir)
    public_key = access.make_key(state_dir / access.KEY, "plugops test hosts")
    machines = []
    host_keys = {}
    for host in wanted.hosts:
        directory = state_dir / _HOSTS / host
        directory.mkdir(parents=True)
        machines.append(machine.Machine(cluster, host, root, directory, wanted.bind_ro, wanted.bind))
        host_keys[host] = access.make_key(machines[-1].host_key, host)
    names.control_path_dir(cluster).mkdir(mode=0o700, parents=True)
    addresses = network.create(cluster, wanted.hosts)
    inventory = access.inventory(state_dir, addresses, wanted.group, wanted.user, names.control_path_dir(cluster))
    (state_dir / access.INVENTORY).write_text(inventory)
    (state_dir / access.SSH_CONFIG).write_text(access.ssh_config(state_dir, addresses, wanted.user))
    (state_dir / access.KNOWN_HOSTS).write_text(access.known_hosts(addresses, host_keys))
    machine.start_all(machines, public_key, addresses, BOOT_TIMEOUT)
    _check_logins(state_dir, wanted.hosts)
    state = State(wanted, addresses, ready=True)
    state.write(state_dir)
    return state


def _check_logins(state_dir: Path, hosts: Sequence[str]) -> None:
    """Both users get in on every host, deploy may become root, and systemd is content (running, not degraded)."""
    logins = {
        "root": "systemctl is-system-running --wait || systemctl list-units --failed --plain --no-legend >&2",
        rootfs.DEPLOY_USER: "sudo -n true",
    }
    attempts = []
    for host in hosts:
        for user, command in logins.items():
            argv = [*DIES_WITH_US, "ssh", "-F", str(state_dir / access.SSH_CONFIG), "-l", user, host, command]
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            attempts.append((host, user, process))
    for host, user, process in attempts:
        try:
            out, err = process.communicate(timeout=BOOT_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise HostsError(f"{user}@{host} does not answer within {BOOT_TIMEOUT:g} s") from None
        if process.returncode or (user == "root" and out.strip() != "running"):
            raise HostsError(f"{user}@{host} is not ready: {out.strip()} {err.strip()}")


def _remove(state_dir: Path, patience: float) -> None:
    """Every step does its work also when `up` never got there, or when an earlier `down` was cut off.

    Hosts get `patience` seconds to power off; one that is still starting does not listen, so it gets none.
    """
    cluster = names.cluster_id(state_dir)
    group = cgroups.clusters().get(cluster)
    if group:
        machine.stop_all({path.name: path for path in group.iterdir() if path.is_dir()}, patience)
        cgroups.remove(group)
    access.close_connections(names.control_path_dir(cluster))
    network.remove(cluster)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(names.run_dir(cluster))
    cgroups.release_hierarchy()
    with contextlib.suppress(OSError):
        names.RUN_DIR.rmdir()
    for name in (access.KEY, f"{access.KEY}.pub", access.KNOWN_HOSTS, access.SSH_CONFIG, access.INVENTORY):
        (state_dir / name).unlink(missing_ok=True)
    shutil.rmtree(state_dir / _HOSTS, ignore_errors=True)
    left = leftovers.of_cluster(cluster)
    if left:
        raise HostsError(f"{state_dir}: could not remove\n" + "\n".join(f"- {line}" for line in left))
    for name in (f".{_STATE}", _STATE):
        (state_dir / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # somebody else's files lie there too
        state_dir.rmdir()
