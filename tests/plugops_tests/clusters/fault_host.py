# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One real host with a healthy app server, on which faults are made and an audit looks at each.

The audit is the module as Ansible sends it, kept on the host and run there again and again: a round trip of Ansible for
each fault would take longer than all of the faults.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterator, Mapping

from plugops_tests.clusters import broken as cluster
from plugops_tests.clusters.artifacts import make_artifacts
from plugops_tests.clusters.faults import FUNCTIONS, NAMED
from plugops_tests.hosts import cluster as hosts
from plugops_tests.support import compiling
from plugops_tests.support.playbooks import run_playbook

INFO = "plugops.mattermost.mattermost_plugin_info"
HEALTHY = "healthy"
NAME = "app1"
_KEPT = "AnsiballZ_mattermost_plugin_info.py"


@dataclass(frozen=True)
class Found:
    """What an audit found: codes of errors and warnings, of notes, and what it said of them."""

    codes: FrozenSet[str]
    notes: FrozenSet[str]
    text: str

    @staticmethod
    def of(result: Mapping[str, Any]) -> Found:
        findings = result["findings"]
        codes = frozenset(item["code"] for item in findings if item["severity"] != "note")
        notes = frozenset(item["code"] for item in findings if item["severity"] == "note")
        text = "\n".join(f"{item['code']} {item['subject']}: {item['evidence']}" for item in findings)
        return Found(codes, notes, text)


@dataclass(frozen=True)
class FaultHost:
    """One host with a healthy app server."""

    cluster: cluster.TestCluster

    @property
    def wanted(self) -> Dict[str, Any]:
        return self.cluster.wanted(self.cluster.plugins)

    def keep(self) -> Found:
        """Keep what faults are undone by, and the module as Ansible has sent it. Returns what it found."""
        arguments = {
            "settings": self.wanted["mattermost_plugin_settings"],
            "plugins": self.wanted["mattermost_plugins"],
            "findings": True,
            "allowed_directories": [NAMED],
        }
        kept = {"ansible.builtin.shell": {"cmd": _with_functions("keep"), "executable": "/bin/bash"}}
        tasks = [kept, {INFO: arguments, "check_mode": True}]
        play = {"hosts": NAME, "gather_facts": False, "become": True, "tasks": tasks}
        with tempfile.TemporaryDirectory() as place:
            playbook = Path(place) / "keep.json"
            playbook.write_text(json.dumps([play]), encoding="utf-8")
            run = run_playbook(str(playbook), self.cluster.inventory, {}, keep_modules=True)
        (result,) = run.results(INFO, NAME)
        return Found.of(result)

    def audits(self, cases: Mapping[str, str], reset: bool = True) -> Dict[str, Found]:
        """Each script in turn and an audit after it, all put back before the next.

        :param reset: put all back after each
        """
        lines = [
            f'MODULE=$(find /home /root -path "*/.ansible/tmp/*" -name {_KEPT})',
            # Unpacked, so that Python compiles it once.
            "[ -d ${MODULE%/*}/debug_dir ] || python3 $MODULE explode >&2",
        ]
        for name, script in cases.items():
            lines.append(f"( {script}\n) >&2")
            lines.append(
                f"found=$(python3 $MODULE execute); printf '%s\\t%s\\n' {shlex.quote(name)} \"${{found//$'\\n'}}\""
            )
            lines += ["( reset ) >&2"] if reset else []
        body = "\n".join(lines)
        script = _with_functions(f"{{\n{body}\n}} </dev/null\n")  # nothing of it reads the rest of the script
        command = ["ssh", "-F", str(self.cluster.ssh_config), NAME, "sudo", "bash", "-s"]
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stderr[-3000:]}\n{done.stdout[-3000:]}"
        printed = (line.partition("\t") for line in done.stdout.splitlines())
        return {name: Found.of(json.loads(text)) for name, _, text in printed}


@contextlib.contextmanager
def fault_host(plugins: int = 4) -> Iterator[FaultHost]:
    """A host with an app server that site.yml has made; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="plugops-faults-") as place:
        artifacts, state_dir = Path(place) / "artifacts", Path(place) / "cluster"
        make_artifacts(artifacts, cluster.VERSION, plugins, 3)
        try:
            group, bind = "mattermost_app_servers", compiling.on_hosts()
            hosts.up(state_dir, hosts.Wanted((NAME,), "bookworm", group, "deploy", (), bind))
            inventory = state_dir / "inventory.yml"
            bare = {
                "broken_release": str(artifacts / f"mattermost-{cluster.VERSION}.tar.gz"),
                "broken_bundles": str(artifacts),
                "broken_working_directory": "",
                "broken_drop_in": "",
                "broken_local_mode": True,
                "broken_plugins": [],
            }
            run_playbook("molecule/resources/break.yml", inventory, bare)
            found = FaultHost(cluster.TestCluster(artifacts, inventory, state_dir / "ssh_config", plugins))
            run_playbook("playbooks/site.yml", inventory, found.wanted)
            yield found
        finally:
            hosts.down(state_dir)


def _with_functions(script: str) -> str:
    return f"{FUNCTIONS.read_text(encoding='utf-8')}\n{script}"
