# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: what site.yml costs on an unchanged cluster of three real hosts, as ratios to `ansible -m ping`.

Prints the medians of several rounds in which ping, site with 5 and site with 20 plugins take turns, so that the
machine's ups and downs meet all three.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List

from plugops_tests.clusters.broken import TestCluster, broken_cluster, missing
from plugops_tests.support.playbooks import REPOSITORY, clean_environment, program, run_playbook

FEW, MANY = 5, 20
FILES = 100
ROUNDS = 7
LIMITS = {"site with 20 plugins / ping": 2.0, "site with 20 plugins / site with 5": 1.1}


def main() -> int:
    lacking = missing()
    if lacking:
        print(f"skipped: no test hosts on this machine: {'; '.join(lacking)}")
        return 0
    with broken_cluster(plugins=MANY, files=FILES) as cluster:
        return measure(cluster)


def measure(cluster: TestCluster) -> int:
    """Make the cluster healthy, time runs that change nothing, print the ratios."""
    for _ in range(2):  # the second keeps the digests of files that were too young in the first
        last = run_playbook("playbooks/site.yml", cluster.inventory, cluster.wanted(MANY))
    if last.changed():
        raise SystemExit(f"site.yml is not idempotent: {last.changed()}")
    with tempfile.TemporaryDirectory() as directory:
        commands = _commands(cluster, Path(directory))
        seconds: Dict[str, List[float]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                seconds[name].append(_time(command))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, times in seconds.items():
        print(f"{name:24} {medians[name]:6.2f} s   (min {min(times):.2f}, max {max(times):.2f}, {ROUNDS} rounds)")
    ratios = {
        "site with 20 plugins / ping": medians["site with 20 plugins"] / medians["ping"],
        "site with 20 plugins / site with 5": medians["site with 20 plugins"] / medians["site with 5 plugins"],
    }
    for name, ratio in ratios.items():
        print(f"{name:36} {ratio:5.2f}   (at most {LIMITS[name]})")
    return 0 if all(ratio <= LIMITS[name] for name, ratio in ratios.items()) else 1


def _commands(cluster: TestCluster, directory: Path) -> Dict[str, List[str]]:
    commands = {"ping": [program("ansible"), "-i", str(cluster.inventory), "all", "-m", "ping"]}
    for number in (FEW, MANY):
        variables = directory / f"{number}.json"
        variables.write_text(json.dumps(cluster.wanted(number)))
        commands[f"site with {number} plugins"] = [
            program("ansible-playbook"),
            "-i",
            str(cluster.inventory),
            "-e",
            f"@{variables}",
            "playbooks/site.yml",
        ]
    return commands


def _time(command: List[str]) -> float:
    start = time.monotonic()
    done = subprocess.run(command, cwd=REPOSITORY, env=clean_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
