# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One test host: what it is made of, how it is started, and how one knows that it is up."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import cgroups, names
from .commands import HostsError
from .rootfs import DEPLOY_UID

_BOOT = Path(__file__).with_name("boot.py")


@dataclass(frozen=True)
class Machine:
    cluster: str
    host: str
    rootfs: Path
    directory: Path
    """Where its plan, host key and console log lie, in the state directory."""
    bind_ro: tuple[str, ...] = field(default=())
    bind: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        return names.namespace(self.cluster, self.host)

    @property
    def console(self) -> Path:
        return self.directory / "console.log"

    @property
    def host_key(self) -> Path:
        return self.directory / "ssh_host_ed25519_key"

    @property
    def notify_socket(self) -> str:
        """An abstract socket (unix(7)): it leaves no file behind."""
        return f"@{self.name}"


def nspawn_command(machine: Machine) -> list[str]:
    """systemd-nspawn(1) without systemd around it: nothing is registered, and the network is ready-made."""
    return [
        "systemd-nspawn",
        "--settings=no",
        "--register=no",
        "--keep-unit",
        f"--machine={machine.name}",
        f"--hostname={machine.host}",
        f"--network-namespace-path=/run/netns/{machine.name}",
        "--capability=CAP_NET_ADMIN",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--console=read-only",
        "--notify-ready=yes",
        *(f"--bind-ro={bind}" for bind in machine.bind_ro),
        *(f"--bind={bind}" for bind in machine.bind),
        "--boot",
    ]


def plan(machine: Machine, cgroup: Path, authorized_key: str, addresses: Mapping[str, str]) -> dict[str, object]:
    """What boot.py does for this host."""
    known = "".join(f"{address} {host}\n" for host, address in addresses.items())
    files = [
        ("etc/hostname", 0o644, 0, f"{machine.host}\n"),
        ("etc/hosts", 0o644, 0, f"127.0.0.1 localhost\n{known}"),
        ("etc/ssh/ssh_host_ed25519_key", 0o600, 0, machine.host_key.read_text()),
        ("etc/ssh/ssh_host_ed25519_key.pub", 0o644, 0, machine.host_key.with_suffix(".pub").read_text()),
        ("root/.ssh/authorized_keys", 0o600, 0, authorized_key),
        ("home/deploy/.ssh/authorized_keys", 0o600, DEPLOY_UID, authorized_key),
    ]
    return {
        "cgroup": str(cgroup),
        "rootfs": str(machine.rootfs),
        "scratch": str(names.run_dir(machine.cluster) / machine.host),
        "files": [dict(zip(("path", "mode", "uid", "text"), file, strict=True)) for file in files],
        "nspawn": nspawn_command(machine),
        "environment": {
            "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            "LANG": "C.UTF-8",
            "NOTIFY_SOCKET": machine.notify_socket,
        },
    }


def start(machine: Machine, authorized_key: str, addresses: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a host. It goes on living when we end; `stop` ends it."""
    cgroup = cgroups.create(machine.cluster, machine.host)
    (names.run_dir(machine.cluster) / machine.host).mkdir(mode=0o700, parents=True)
    plan_file = machine.directory / "plan.json"
    plan_file.touch(mode=0o600)
    plan_file.write_text(json.dumps(plan(machine, cgroup, authorized_key, addresses)))
    command = ["unshare", "--mount", "--", sys.executable, "-I", str(_BOOT), str(plan_file)]
    with open(machine.console, "wb") as console:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, start_new_session=True
        )


def start_all(machines: Sequence[Machine], authorized_key: str, addresses: Mapping[str, str], timeout: float) -> None:
    """Start all hosts at once; return when the systemd of each says that its boot is finished (sd_notify READY=1)."""
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for machine in machines:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            listener.bind(machine.notify_socket.replace("@", "\0", 1))
            process = start(machine, authorized_key, addresses)
            end = os.pidfd_open(process.pid)
            stack.callback(os.close, end)
            selector.register(listener, selectors.EVENT_READ, (machine, listener))
            selector.register(end, selectors.EVENT_READ, (machine, None))
        _wait_ready(selector, {machine.host: machine for machine in machines}, timeout)


def _wait_ready(selector: selectors.BaseSelector, waiting: dict[str, Machine], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while waiting:
        events = selector.select(max(0, deadline - time.monotonic()))
        if not events:
            late = next(iter(waiting.values()))
            raise HostsError(f"{late.host} has not finished booting within {timeout:g} s\n{console_tail(late)}")
        for key, _ in events:
            machine, listener = key.data
            if listener is None:
                raise HostsError(f"{machine.host} ended while it was starting\n{console_tail(machine)}")
            if b"READY=1" in listener.recv(4096).splitlines():
                waiting.pop(machine.host, None)


def stop_all(cgroup_of: Mapping[str, Path], timeout: float) -> None:
    """Power the hosts off, all at once; end by SIGKILL what is not gone after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    if timeout:
        for path in cgroup_of.values():
            for pid in cgroups.supervisor(path):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)  # systemd-nspawn passes it on as SIGRTMIN+3: power off
    for path in cgroup_of.values():
        cgroups.wait_empty(path, max(0.0, deadline - time.monotonic()))
        cgroups.remove(path)


def console_tail(machine: Machine, lines: int = 15) -> str:
    """The last lines that the host wrote to its console, without colours."""
    text = machine.console.read_text(errors="replace") if machine.console.is_file() else ""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")
    return "\n".join(f"  {machine.host}: {line}" for line in plain.splitlines()[-lines:])
