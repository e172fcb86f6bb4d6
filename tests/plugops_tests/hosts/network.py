# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of a cluster: a bridge that the controller stands on, and one namespace per host with a cable to it.

    controller 198.18.N.1 ── plug-<id>-br ── plug-<id>-1 ══ eth0 198.18.N.11  (namespace plugops-<id>-app1)
                                          └─ plug-<id>-2 ══ eth0 198.18.N.12  (namespace plugops-<id>-app2)

The addresses are those that RFC 2544 sets aside for tests. Hosts have no route out of their subnet.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence

from . import names
from .commands import HostsError, locked, run

_TEST_RANGE = ipaddress.IPv4Network("198.18.0.0/15")
_FIRST_HOST = 11
MOST_HOSTS = 200


def free_subnet(taken: Iterable[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """The first /24 of the test range that overlaps with none of `taken`."""
    used = [network for network in taken if network.overlaps(_TEST_RANGE)]
    for candidate in _TEST_RANGE.subnets(new_prefix=24):
        if not any(candidate.overlaps(network) for network in used):
            return candidate
    raise HostsError(
        f"no free /24 left in {_TEST_RANGE}; `python -m plugops_tests.hosts leftovers` lists what holds them"
    )


def addresses(subnet: ipaddress.IPv4Network, hosts: Sequence[str]) -> dict[str, str]:
    """Host → address, by its place in the list."""
    return {host: str(subnet[_FIRST_HOST + place]) for place, host in enumerate(hosts)}


def link_commands(cluster: str, subnet: ipaddress.IPv4Network, hosts: Mapping[str, str]) -> str:
    """The lines for `ip -batch` that make the links, for hosts whose namespaces exist."""
    bridge = names.bridge(cluster)
    lines = [f"link set {bridge} up"]
    for index, host in enumerate(hosts, start=1):
        veth = names.veth(cluster, index)
        lines += [
            f"link add {veth} type veth peer name eth0 netns {names.namespace(cluster, host)}",
            f"link set {veth} master {bridge} up",
        ]
    return "\n".join(lines) + "\n"


def create(cluster: str, hosts: Sequence[str]) -> dict[str, str]:
    """Make the network; returns host → address."""
    bridge = names.bridge(cluster)
    with locked(names.RUN_DIR):  # another cluster must not choose the same subnet before the bridge holds it
        subnet = free_subnet(_networks_in_use())
        run(["ip", "link", "add", bridge, "type", "bridge"])
        run(["ip", "address", "add", f"{subnet[1]}/{subnet.prefixlen}", "dev", bridge])
    found = addresses(subnet, hosts)
    for host in hosts:
        run(["ip", "netns", "add", names.namespace(cluster, host)])
    run(["ip", "-batch", "-"], text=link_commands(cluster, subnet, found))
    for host, address in found.items():
        lines = f"link set lo up\naddress add {address}/{subnet.prefixlen} dev eth0\nlink set eth0 up\n"
        run(["ip", "-netns", names.namespace(cluster, host), "-batch", "-"], text=lines)
    return found


def remove(cluster: str) -> None:
    """Remove whatever there is of the network; the namespaces' processes must be gone before."""
    for interface in interfaces(cluster):
        run(["ip", "link", "delete", interface])
    for namespace in namespaces(cluster):
        run(["ip", "netns", "delete", namespace])


def interfaces(cluster: str = "") -> list[str]:
    """Our interfaces in the root namespace: of one cluster, or of all."""
    links = json.loads(run(["ip", "-json", "link", "show"]) or "[]")
    matches = (names.INTERFACE.fullmatch(link["ifname"]) for link in links if link)
    return [match[0] for match in matches if match and cluster in ("", match["id"])]


def namespaces(cluster: str = "") -> list[str]:
    """Our network namespaces: of one cluster, or of all."""
    listed = json.loads(run(["ip", "-json", "netns", "list"]) or "[]")
    matches = (names.NAMESPACE.fullmatch(entry["name"]) for entry in listed)
    return [match[0] for match in matches if match and cluster in ("", match["id"])]


def _networks_in_use() -> list[ipaddress.IPv4Network]:
    """Every network that this machine has an address in or a route to (except the default route)."""
    found = []
    for link in json.loads(run(["ip", "-json", "-4", "address", "show"]) or "[]"):
        for address in link.get("addr_info", []):
            found.append(ipaddress.IPv4Network(f"{address['local']}/{address['prefixlen']}", strict=False))
    for route in json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]) or "[]"):
        if route["dst"] != "default":
            found.append(ipaddress.IPv4Network(route["dst"], strict=False))
    return found
