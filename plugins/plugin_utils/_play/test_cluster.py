# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test cluster on paper: which part lies where, what blocks it, what of its logs may leave the machine."""

from __future__ import annotations

import base64
import json
import os
import re
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple

from ...module_utils._formats.json_reader import parse_json

MASK = "********"
# Of the cluster's range of ports: the load balancer has the first one, the app server named app7 the seventh after it.
DATABASE_PORT = 50
_CLUSTER_NAME = re.compile("[a-z][a-z0-9-]{0,19}")
_HOST_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LAST_PORT = 65535
_SECRET_SETTING = re.compile(
    r'("[^"]*(?:password|secret|token|salt|(?:private|encrypt\w*|access|api|site)_?key|datasource)[^"]*"\s*:\s*)'
    r'"(?:[^"\\]|\\.)+"',
    re.IGNORECASE,
)
_LOOPBACK = "127.0.0.1"
_LISTENER = re.compile(r"\S+\s+\S+\s+\S+\s+\S*:(?P<port>[0-9]+)\s+\S+(?P<rest>.*)")


def layout_of(
    hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]], name: str, first_port: int, directory: str
) -> Dict[str, Dict[str, Any]]:
    """Where each app server of a cluster goes. Several hosts of the inventory may be one machine.

    :param hosts: of the inventory, in its order
    :param directory: that holds everything of the cluster on a machine
    """
    machines = {host: _machine(host, hostvars[host]) for host in hosts}
    alone = len(set(machines.values())) == 1
    leaders: Dict[str, str] = {}
    for host in hosts:
        leaders.setdefault(machines[host], host)
    layout = {}
    for position, host in enumerate(hosts, start=1):
        digits = re.search("[0-9]+$", host)
        port = first_port + (int(digits[0]) if digits else position)
        address = str(hostvars[host].get("test_cluster_address") or ("" if alone else machines[host])) or _LOOPBACK
        layout[host] = {
            "machine": machines[host],
            "leader": leaders[machines[host]] == host,
            "first": host == hosts[0],
            "alone": alone,
            "address": address,
            "port": port,
            "url": f"http://{address}:{port}",
            "unit": f"mattermost-{name}-{host}.service",
            "install_dir": f"{directory}/servers/{host}",
            "state_dir": f"{directory}/state/{host}",
            "runtime_dir": f"mattermost-{name}-{host}",
        }
    return layout


def _machine(host: str, variables: Mapping[str, Any]) -> str:
    if variables.get("ansible_connection") in ("local", "ansible.builtin.local"):
        return "localhost"
    return str(variables.get("ansible_host") or host)


def problems_of(host: str, layout: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> List[str]:
    """Why the cluster cannot be made as it is wanted, as far as one host can tell. Each with what to do.

    :param given: what the operator wants and what was found: name, first_port, filestore, filestore_directory,
        database, release, release_sha256, plugin_settings; manifest (text or empty), leftovers (paths that only a
        cluster with a manifest may have), uid (of the cluster's user, or None), listeners (lines of ``ss -Hltnpe``)
    """
    found = _problems_of_names(layout, given)
    if layout[host]["first"]:
        found += _problems_of_choices(layout, given)
    if layout[host]["leader"]:
        found += _problems_of_machine(host, layout, given)
    return found


def _problems_of_names(layout: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> List[str]:
    found = []
    if not _CLUSTER_NAME.fullmatch(str(given["name"])):
        found.append(
            f"test_cluster_name is no name: found {given['name']!r}, wanted a lower-case letter and up to 19 more "
            "letters, digits and dashes."
        )
    ports: Dict[int, str] = {}
    for host, place in layout.items():
        if not _HOST_NAME.fullmatch(host):
            found.append(f"{host!r} cannot be part of a unit's name. What to do: rename it in the inventory.")
        other = ports.setdefault(place["port"], host)
        if other != host:
            found.append(f"{other} and {host} would both get port {place['port']}. What to do: number their names.")
        if place["port"] >= int(given["first_port"]) + DATABASE_PORT:
            found.append(
                f"{host} would get port {place['port']}, outside the cluster's range. What to do: number its name "
                f"from 1 to {DATABASE_PORT - 1}."
            )
    if not 1024 <= int(given["first_port"]) <= _LAST_PORT - DATABASE_PORT:
        found.append(f"test_cluster_first_port must be 1024 to {_LAST_PORT - DATABASE_PORT}: {given['first_port']}.")
    return found


def _problems_of_choices(layout: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> List[str]:
    found = []
    release, sha256 = str(given["release"]), str(given["release_sha256"])
    if not release:
        found.append("no release is named. What to do: set test_cluster_release to a tarball or a URL.")
    if "://" in release and not sha256:
        found.append("a release from a URL needs its SHA-256. What to do: set test_cluster_release_sha256.")
    alone = all(place["alone"] for place in layout.values())
    if given["filestore"] == "shared" and not alone and not given["filestore_directory"]:
        found.append(
            "app servers on several machines cannot share a directory of one of them. What to do: set "
            "test_cluster_filestore_directory to a directory that all machines have mounted, or "
            "test_cluster_filestore to separate."
        )
    database = str(given["database"])
    if database and not re.match("postgres(ql)?://", database):
        found.append("test_cluster_database is no data source. What to do: write it as postgres://user:password@host/.")
    for key in ("Directory", "ClientDirectory"):
        value = str(dict(given["plugin_settings"]).get(key) or ".")
        if value.startswith("/"):
            found.append(
                f"mattermost_plugin_settings sets {key} to {value}, which all app servers of a machine would share. "
                "What to do: leave it out here, or write it relative to the install directory."
            )
    return found


def _problems_of_machine(host: str, layout: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> List[str]:
    found = []
    machine = layout[host]["machine"]
    if not given["manifest"]:
        found += [
            f"{path} is there on {machine}, and no test cluster of this name has made it. What to do: choose another "
            "test_cluster_name, or check what it is for and remove it."
            for path in given["leftovers"]
        ]
    wanted = {int(place["port"]): name for name, place in layout.items() if place["machine"] == machine}
    if layout[host]["first"]:
        wanted[int(given["first_port"])] = "the load balancer"
        if not given["database"]:
            wanted[int(given["first_port"]) + DATABASE_PORT] = "PostgreSQL"
    for port, uid, process in _listening(given["listeners"]):
        if port in wanted and (not given["manifest"] or uid != str(given["uid"])):
            found.append(
                f"port {port}, which {wanted[port]} needs, is taken on {machine}: found {process}. What to do: stop "
                "that, or choose another test_cluster_first_port."
            )
    return found


def _listening(lines: Iterable[str]) -> Iterable[Tuple[int, str, str]]:
    """Port, user and process of each line of ``ss -Hltnpe``; it leaves the user out for root."""
    seen = set()
    for line in lines:
        match = _LISTENER.match(line)
        if match is None or match["port"] in seen:
            continue
        seen.add(match["port"])
        uid = re.search(r"\buid:([0-9]+)", match["rest"])
        process = re.search(r'users:\(\("([^"]*)",pid=([0-9]+)', match["rest"])
        name = f"{process[1]} (pid {process[2]})" if process else "a process that cannot be named"
        yield int(match["port"]), uid[1] if uid else "0", name


def not_running(statuses: Sequence[Mapping[str, Any]], wanted: Iterable[str]) -> List[str]:
    """The wanted plugins that are not in state 2, each with what the server reports about it.

    :param statuses: what ``GET /plugins/statuses`` answers; one item per plugin and node
    """
    found: List[str] = []
    for plugin_id in sorted(wanted):
        items = [item for item in statuses if item["plugin_id"] == plugin_id]
        bad = next((item for item in items if item["state"] != 2), None)
        if not items:
            found.append(f"{plugin_id} (not installed)")
        elif bad is not None:
            found.append(f"{plugin_id} {bad['version']} (state {bad['state']}{_reason(bad)})")
    return found


def _reason(item: Mapping[str, Any]) -> str:
    return f": {item['error']}" if item.get("error") else ""


def states_of(statuses: Sequence[Mapping[str, Any]]) -> Dict[str, Dict[str, Any]]:
    """Id -> version and state, of what ``GET /plugins/statuses`` answers."""
    return {str(item["plugin_id"]): {"version": item["version"], "state": item["state"]} for item in statuses}


def durations_of(clock: Sequence[Tuple[str, float]]) -> Dict[str, float]:
    """Seconds of each phase.

    :param clock: what begins when; the last one is the end
    """
    durations = {name: round(clock[index + 1][1] - at, 1) for index, (name, at) in enumerate(clock[:-1])}
    return {**durations, "total": round(clock[-1][1] - clock[0][1], 1)}


def summary_of(result: Mapping[str, Any], path: str) -> List[str]:
    """The result for the terminal, which in a CI is a log: no secret, but where they are.

    :param path: of the result as a file
    """
    lines = [f"Test cluster {result['name']} is ready at {result['url']}"]
    for node in result["nodes"]:
        plugins = ", ".join(
            f"{name} {item['version']} (state {item['state']})" for name, item in node["plugins"].items()
        )
        lines.append(f"  {node['name']}: {node['url']}, Mattermost {node['server_version']}: {plugins or 'no plugin'}")
    lines.append(f"  admin: {result['admin']['username']}; password and token: {path}")
    took = ", ".join(f"{name} {seconds} s" for name, seconds in result["durations"].items())
    return [*lines, f"  time: {took}"]


def collected_of(
    outputs: Iterable[Mapping[str, Any]],
    logs: Iterable[Mapping[str, Any]],
    report: Mapping[str, Any],
    secrets: List[str],
) -> List[Dict[str, str]]:
    """Name and text of everything that leaves a host.

    :param outputs: results of commands, each item with a name
    :param logs: results of ``slurp``, each item a found file
    """
    texts = {str(result["item"]["name"]): str(result["stdout"]) for result in outputs if "stdout" in result}
    for log in logs:
        content = base64.b64decode(log["content"]).decode("utf-8", "replace")
        name = os.path.basename(log["item"]["path"])
        texts[name] = _without_plugin_settings(content) if name == "config.json" else content
    texts["report.json"] = json.dumps(report, indent=2, default=str)
    return [{"name": name, "text": masked(text, secrets)} for name, text in texts.items()]


def _without_plugin_settings(config: str) -> str:
    """A config.json in which no plugin's own settings can be read: any of them may be a secret."""
    try:
        content = parse_json(config)
    except ValueError as error:
        return f"not shown, it is no JSON: {error}"
    section = content.get("PluginSettings") if isinstance(content, dict) else None
    if isinstance(section, dict) and "Plugins" in section:
        section["Plugins"] = _masked_leaves(section["Plugins"])
    return json.dumps(content, indent=4)


def _masked_leaves(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked_leaves(inner) for key, inner in value.items()}
    return MASK


def masked(text: str, secrets: Iterable[str]) -> str:
    """A log or a configuration without the secrets that are known, and without what looks like one."""
    known = {spelled for secret in secrets if secret for spelled in (secret, json.dumps(secret)[1:-1])}
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    text = re.sub(r"(://[^:/@\s\"]+:)[^@/\s\"]+@", rf"\1{MASK}@", text)
    text = _SECRET_SETTING.sub(rf'\1"{MASK}"', text)
    return re.sub(r"(?i)(\bbearer\s+)[a-z0-9._-]{8,}", rf"\1{MASK}", text)
