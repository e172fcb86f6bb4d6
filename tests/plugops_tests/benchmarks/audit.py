# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: what an audit of three real hosts with 20 plugins costs, as a ratio to `ansible -m ping`."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

from plugops_tests.benchmarks.noop import FILES, MANY, ROUNDS, _time
from plugops_tests.clusters.broken import broken_cluster, missing
from plugops_tests.support.playbooks import program, run_playbook

LIMIT = 2.0


def main() -> int:
    lacking = missing()
    if lacking:
        print(f"skipped: no test hosts on this machine: {'; '.join(lacking)}")
        return 0
    with broken_cluster(plugins=MANY, files=FILES) as cluster, tempfile.TemporaryDirectory() as place:
        for _ in range(2):  # the second keeps the digests of files that were too young in the first
            run_playbook("playbooks/site.yml", cluster.inventory, cluster.wanted(MANY))
        inventory = str(cluster.inventory)
        remove = "rm -rf /opt/mattermost/bin/data /opt/mattermost/bin/logs /opt/mattermost/bin/plugins"
        # What site.yml never deletes would be drift, and another exit code.
        _time([program("ansible"), "-i", inventory, "all", "-b", "-m", "ansible.builtin.shell", "-a", remove])
        variables = Path(place) / "variables.json"
        variables.write_text(json.dumps({**cluster.wanted(MANY), "mattermost_audit_directory": f"{place}/audit"}))
        ansible = program("ansible-playbook")
        commands = {
            "ping": [program("ansible"), "-i", inventory, "all", "-m", "ping"],
            "audit": [ansible, "-i", inventory, "-e", f"@{variables}", "playbooks/audit.yml"],
        }
        return measure(commands)


def measure(commands: Dict[str, List[str]]) -> int:
    """In turns, so that the machine's ups and downs meet both."""
    seconds: Dict[str, List[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            seconds[name].append(_time(command))
    for name, times in seconds.items():
        print(f"{name:6} {statistics.median(times):6.2f} s   (min {min(times):.2f}, max {max(times):.2f})")
    ratio = statistics.median(seconds["audit"]) / statistics.median(seconds["ping"])
    print(f"audit of three app servers with {MANY} plugins / ping: {ratio:.2f}   (at most {LIMIT})")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
