# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m plugops_tests.hosts up | down | status | leftovers`: test hosts from the command line.

Results go to stdout as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from . import access, apt_sources, cluster, leftovers, names, requirements, rootfs
from .commands import HostsError


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    os.umask(0o022)
    try:
        return _COMMANDS[options.command](options)
    except HostsError as error:
        print(f"hosts {options.command}: {error}", file=sys.stderr)
        return 1


def _up(options: argparse.Namespace) -> int:
    wanted = cluster.Wanted(
        hosts=tuple(options.host or (f"app{number}" for number in range(1, options.count + 1))),
        suite=options.suite,
        group=options.group,
        user=options.user,
        bind_ro=tuple(options.bind_ro),
        bind=tuple(options.bind),
    )
    state, changed = cluster.up(options.state_dir, wanted, options.cache_dir, options.mirror)
    _print(
        {
            "changed": changed,
            "inventory": str(options.state_dir / access.INVENTORY),
            "ssh_config": str(options.state_dir / access.SSH_CONFIG),
            "hosts": state.addresses,
        }
    )
    return 0


def _down(options: argparse.Namespace) -> int:
    _print({"changed": cluster.down(options.state_dir)})
    return 0


def _status(options: argparse.Namespace) -> int:
    found = cluster.status(options.state_dir)
    state = cluster.State.read(options.state_dir)
    _print({"ready": bool(state and state.ready), "hosts": found})
    return 0 if state and state.ready and set(found.values()) == {"running"} else 1


def _leftovers(options: argparse.Namespace) -> int:
    if options.state_dir:
        found = leftovers.of_cluster(names.cluster_id(options.state_dir))
    else:
        found = leftovers.of_machine(options.cache_dir)
    print("\n".join(found) or "nothing is left")
    return 1 if found else 0


def _check(options: argparse.Namespace) -> int:
    found = requirements.missing(options.suite, options.cache_dir, options.mirror)
    print("\n".join(found) or "nothing is missing")
    return 1 if found else 0


_COMMANDS = {"up": _up, "down": _down, "status": _status, "leftovers": _leftovers, "check": _check}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hosts", description="Debian test hosts with systemd and sshd.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a cluster and print where its inventory is")
    many = up.add_mutually_exclusive_group()
    many.add_argument("--count", type=int, default=3, metavar="N", help="app1 to appN (default 3)")
    many.add_argument("--host", action="append", metavar="NAME", help="a host by name; can be repeated")
    up.add_argument(
        "--group", default="mattermost_app_servers", help="inventory group of the hosts (default %(default)s)"
    )
    up.add_argument("--user", default=rootfs.DEPLOY_USER, choices=(rootfs.DEPLOY_USER, "root"), help="login user")
    up.add_argument("--bind-ro", action="append", default=[], metavar="SRC:DST", help="show SRC to the hosts as DST")
    up.add_argument(
        "--bind", action="append", default=[], metavar="SRC:DST", help="likewise, the hosts may write there"
    )
    down = commands.add_parser("down", help="remove a cluster, also a half-made one")
    status = commands.add_parser("status", help="say which hosts run; exit 1 unless all do")
    left = commands.add_parser("leftovers", help="list what clusters hold on this machine; exit 1 if anything")
    check = commands.add_parser("check", help="list what this machine lacks; exit 1 if anything")
    for command in (up, down, status):
        command.add_argument("--state-dir", type=_path, required=True, metavar="DIR", help="the cluster's directory")
    left.add_argument("--state-dir", type=_path, metavar="DIR", help="only this cluster")
    for command in (up, check):
        command.add_argument("--suite", default="bookworm", choices=apt_sources.SUITES)
        command.add_argument("--mirror", default="", metavar="URL", help="instead of the mirror in apt's sources")
    for command in (up, check, left):
        command.add_argument("--cache-dir", type=_path, default=rootfs.DEFAULT_CACHE, metavar="DIR")
    return parser


def _path(text: str) -> Path:
    return Path(text).absolute()


def _print(document: dict[str, object]) -> None:
    print(json.dumps(document, indent=2))


def _terminated(number: int, frame: FrameType | None) -> None:
    """As Ctrl-C does: `up` cleans up on its way out."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
