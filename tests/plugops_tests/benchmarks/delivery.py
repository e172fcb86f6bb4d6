# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: what a first deployment costs: bytes to each host, and the module's memory for a large bundle.

The bytes are those of the network interfaces. The memory is what the kernel says of the processes that the Python of
the hosts started.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List

from plugops_tests.clusters.broken import NAMES, VERSION, TestCluster, broken_cluster, missing
from plugops_tests.hosts import names
from plugops_tests.support.bundles import make_bundle
from plugops_tests.support.playbooks import program, run_playbook

BUNDLES = 20
SIZE = 2_000_000
LARGE = 500_000_000
MODULE_LIMIT = 1.05
SITE_LIMIT = 1.15  # a call brings its code along, some 200 to 350 kB, and a change by site.yml is about 15 calls
MEMORY_LIMIT = 100_000  # KiB
SITE = "playbooks/site.yml"
PEAKS = "/var/tmp/peaks"
PYTHON = "/usr/local/bin/measured-python3"

DEPLOY = [
    {
        "hosts": "all",
        "become": True,
        "gather_facts": False,
        "tasks": [
            {
                "plugops.mattermost.mattermost_plugin": {
                    "server_version": VERSION,
                    "plugins": "{{ mattermost_plugins }}",
                }
            }
        ],
    }
]

# Of the children: a child's own figure would begin with that of the process that it was forked from.
MEASURED_PYTHON = f"""#!/usr/bin/python3
import resource, subprocess, sys
code = subprocess.call(["/usr/bin/python3", *sys.argv[1:]])
with open("{PEAKS}", "a") as out:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=out)
sys.exit(code)
"""


def main() -> int:
    lacking = missing()
    if lacking:
        print(f"skipped: no test hosts on this machine: {'; '.join(lacking)}")
        return 0
    with broken_cluster(plugins=1) as cluster, tempfile.TemporaryDirectory(prefix="plugops-delivery-") as place:
        run_playbook(SITE, cluster.inventory, cluster.wanted(1))
        return max(measure_bytes(cluster, Path(place)), measure_memory(cluster, Path(place)))


def measure_bytes(cluster: TestCluster, place: Path) -> int:
    """Deploy many bundles that no host has: by the module alone, then others by site.yml with all that it does more."""
    playbook = place / "deploy.yml"
    playbook.write_text(json.dumps(DEPLOY))
    results = []
    for name, (run, limit) in {"module": (str(playbook), MODULE_LIMIT), "site": (SITE, SITE_LIMIT)}.items():
        bundles = [_bundle(place, f"com.example.{name}{number:02d}", SIZE) for number in range(BUNDLES)]
        size = sum(bundle.stat().st_size for bundle in bundles)
        before = _sent(cluster)
        run_playbook(run, cluster.inventory, _with(cluster, bundles))
        after = _sent(cluster)
        worst = max(after[host] - before[host] for host in NAMES)
        print(
            f"{BUNDLES} bundles of 2 MB by {name}, bytes sent to a host / bundles: {worst / size:.3f} "
            f"(at most {limit}; {(worst - size) / 1000:.0f} kB more than the bundles)"
        )
        results.append(worst / size <= limit)
    return 0 if all(results) else 1


def measure_memory(cluster: TestCluster, place: Path) -> int:
    """Deploy one large bundle, by unpacking and by upload."""
    bundle = _bundle(place, "com.example.large", LARGE)
    _on_all(cluster, "ansible.builtin.file", f"path={PEAKS} state=absent")
    script = place / "measured-python3"
    script.write_text(MEASURED_PYTHON)
    _on_all(cluster, "ansible.builtin.copy", f"src={script} dest={PYTHON} mode=0755")
    limit = f"""regexp='"MaxFileSize": [0-9]+' replace='"MaxFileSize": {2 * LARGE}'"""
    _on_all(cluster, "ansible.builtin.replace", f"path=/opt/mattermost/config/config.json {limit}")
    _on_all(cluster, "ansible.builtin.systemd", "name=mattermost state=restarted")
    run_playbook(SITE, cluster.inventory, {**_with(cluster, [bundle]), "ansible_python_interpreter": PYTHON})
    peaks = {name: max(int(line) for line in _ssh(cluster, name, "cat", PEAKS).split()) for name in NAMES}
    for name, peak in peaks.items():
        print(f"{name}: memory of the largest module, one bundle of 500 MB: {peak / 1000:.0f} MB (at most 100)")
    return 0 if max(peaks.values()) <= MEMORY_LIMIT else 1


def _bundle(place: Path, plugin_id: str, size: int) -> Path:
    """A bundle of a size that no compression makes smaller."""
    return make_bundle(place, plugin_id, "1.0.0", files={"assets/large": os.urandom(size)})


def _with(cluster: TestCluster, bundles: List[Path]) -> Dict[str, Any]:
    wanted = cluster.wanted(1)
    return {**wanted, "mattermost_plugins": [*wanted["mattermost_plugins"], *({"src": str(path)} for path in bundles)]}


def _sent(cluster: TestCluster) -> Dict[str, int]:
    """What went to each host through this machine's end of its cable, in bytes."""
    cluster_id = names.cluster_id(cluster.inventory.parent)
    counters = Path("/sys/class/net")
    return {
        host: int((counters / names.veth(cluster_id, index) / "statistics" / "tx_bytes").read_text())
        for index, host in enumerate(NAMES, start=1)
    }


def _ssh(cluster: TestCluster, host: str, *command: str) -> str:
    return subprocess.check_output(["ssh", "-F", str(cluster.ssh_config), host, *command], text=True)


def _on_all(cluster: TestCluster, module: str, arguments: str) -> None:
    command = [program("ansible"), "-i", str(cluster.inventory), "all", "-b", "-m", module, "-a", arguments]
    subprocess.run(command, check=True, stdout=subprocess.PIPE)


if __name__ == "__main__":
    sys.exit(main())
