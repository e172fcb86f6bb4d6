# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run Ansible as an operator does, and read what every task returned."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

REPOSITORY = Path(__file__).resolve().parents[3]
_CALLBACKS = Path(__file__).resolve().parent / "callback"


@dataclass(frozen=True)
class Run:
    """What a run of a playbook came to.

    :param tasks: one item a task and host: status, host, task, action, result
    """

    returncode: int
    output: str
    tasks: List[Dict[str, Any]]

    def changed(self) -> List[str]:
        """``host: task`` of everything that reported a change."""
        return [f"{task['host']}: {task['task']}" for task in self.tasks if task["result"].get("changed")]

    def results(self, action: str, host: str) -> List[Dict[str, Any]]:
        """What the tasks with this action returned on a host, in order."""
        return [
            task["result"]
            for task in self.tasks
            if task["action"] == action and task["host"] == host and task["status"] != "skipped"
        ]


def program(name: str) -> str:
    """One of Ansible's programs, of the environment that runs the tests."""
    return os.path.join(sysconfig.get_path("scripts"), name)


def clean_environment(**more: str) -> Dict[str, str]:
    """The environment without what the person has set for other projects."""
    return {**{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}, **more}


def run_playbook(
    playbook: str,
    inventory: Path,
    variables: Mapping[str, Any],
    options: Sequence[str] = (),
    may_fail: bool = False,
    exit_by_audit: bool = False,
    cache: Optional[Path] = None,
    keep_modules: bool = False,
) -> Run:
    """Run a playbook from the repository's root.

    :param options: more options of ansible-playbook, e.g. ``--check``
    :param cache: where the controller keeps what it read and downloaded; default: where it always does
    :param keep_modules: leave on the hosts what Ansible ran there
    :param exit_by_audit: with the callback that ends it by what an audit found
    :raises AssertionError: it failed, unless it may
    """
    with tempfile.TemporaryDirectory(prefix="plugops-run-") as directory:
        record = Path(directory) / "record"
        record.touch()
        given = Path(directory) / "variables.json"
        given.write_text(json.dumps(variables))
        command = [program("ansible-playbook"), "-i", str(inventory), "-e", f"@{given}", *options, playbook]
        environment = clean_environment(
            ANSIBLE_CALLBACK_PLUGINS=str(_CALLBACKS),
            ANSIBLE_CALLBACKS_ENABLED="recorder,plugops.mattermost.audit_exit" if exit_by_audit else "recorder",
            PLUGOPS_RECORD=str(record),
        )
        if cache is not None:
            environment["XDG_CACHE_HOME"] = str(cache)
        if keep_modules:
            environment["ANSIBLE_KEEP_REMOTE_FILES"] = "1"
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        tasks = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    if done.returncode != 0 and not may_fail:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}")
    return Run(done.returncode, done.stdout, tasks)
