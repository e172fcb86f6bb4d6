# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach the hosts of a cluster: keys, ssh_config and the Ansible inventory, all in the state directory."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from .commands import HostsError, run

KEY = "id_ed25519"
KNOWN_HOSTS = "known_hosts"
SSH_CONFIG = "ssh_config"
INVENTORY = "inventory.yml"


def make_key(path: Path, comment: str) -> str:
    """A new ed25519 key pair without a passphrase, mode 0600; returns the public half."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    return path.with_suffix(".pub").read_text()


def known_hosts(addresses: Mapping[str, str], host_keys: Mapping[str, str]) -> str:
    return "".join(f"{host},{address} {host_keys[host].strip()}\n" for host, address in addresses.items())


def ssh_config(state_dir: Path, addresses: Mapping[str, str], user: str) -> str:
    """For `ssh -F`: each host by its name or address, its key checked."""
    if '"' in str(state_dir):
        raise HostsError(f"{state_dir}: ssh_config(5) cannot name a path with a double quote in it")
    stanzas = [
        f"Host {host} {address}\n    HostName {address}\n    HostKeyAlias {host}\n"
        for host, address in addresses.items()
    ]
    common = f"""\
Host *
    User {user}
    IdentityFile "{_percent(state_dir / KEY)}"
    IdentitiesOnly yes
    UserKnownHostsFile "{_percent(state_dir / KNOWN_HOSTS)}"
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    PreferredAuthentications publickey
    ConnectTimeout 10
"""
    return "\n".join([*stanzas, common])


def inventory(state_dir: Path, addresses: Mapping[str, str], group: str, user: str, control_path_dir: Path) -> str:
    """An Ansible inventory in YAML. Whoever needs root says `become` or `-e ansible_user=root`."""
    variables = {
        "ansible_user": user,
        "ansible_port": "22",  # the default, but `molecule login` wants it said
        "ansible_ssh_private_key_file": str(state_dir / KEY),
        "ansible_ssh_common_args": f"-F {shlex.quote(str(state_dir / SSH_CONFIG))}",
        "ansible_control_path_dir": str(control_path_dir),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    lines = ["---", "all:", "  vars:"]
    lines += [f"    {name}: {_yaml(value)}" for name, value in variables.items()]
    lines += ["  children:", f"    {group}:", "      hosts:"]
    for host, address in addresses.items():
        lines += [f"        {host}:", f"          ansible_host: {_yaml(address)}"]
    return "\n".join(lines) + "\n"


def close_connections(control_path_dir: Path) -> None:
    """End the ssh connections that Ansible keeps open; one whose host was cut off would stay for half an hour."""
    if not control_path_dir.is_dir():
        return
    for socket in control_path_dir.iterdir():
        try:
            master = f"ControlPath={_percent(socket)}"
            run(["ssh", "-F", "/dev/null", "-O", "exit", "-o", master, "closing"], timeout=10)
        except HostsError:  # nobody listens any more: the connection ended with its host
            socket.unlink(missing_ok=True)


def _percent(path: Path) -> str:
    """ssh expands % in paths."""
    return str(path).replace("%", "%%")


def _yaml(value: str) -> str:
    """A double-quoted YAML scalar; JSON strings are that (YAML 1.2, 1.3). Ansible would read {{ as a template."""
    if "{{" in value or "{%" in value:
        raise HostsError(f"{value}: Ansible would take this for a template; choose another directory")
    return json.dumps(value)
