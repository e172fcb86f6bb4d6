# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run lock between real runs of Ansible: waited for, refused, taken over from a run that was killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Set

import pytest

from plugops_tests.support.playbooks import REPOSITORY, Run, clean_environment, program, run_playbook

pytestmark = pytest.mark.slow

LOCK = "plugops.mattermost.mattermost_run_lock"


class Place:
    """One app server, of which the lock needs nothing but a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.root.mkdir()
        self.record = self.root / "var/lib/plugops/run-lock.json"
        self.inventory = directory / "inventory.json"
        common = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        self.inventory.write_text(json.dumps({"all": {"hosts": {"app1": {}}, "vars": common}}))

    def playbook(self, name: str, tasks: List[Dict[str, Any]]) -> Path:
        path = self.directory / f"{name}.json"
        defaults = {LOCK: {"root": str(self.root)}}
        play = {"hosts": "all", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}
        path.write_text(json.dumps([play]))
        return path

    def run(self, *tasks: Dict[str, Any], may_fail: bool = False) -> Run:
        return run_playbook(str(self.playbook("play", list(tasks))), self.inventory, {}, may_fail=may_fail)

    def holder(self) -> Dict[str, Any]:
        found = json.loads(self.record.read_text())
        assert isinstance(found, dict)
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


class HoldingRun:
    """A run of its own that takes the lock, waits for a file, and gives it back."""

    def __init__(self, place: Place) -> None:
        self.end = place.directory / "end"
        playbook = place.playbook(
            "holding",
            [
                {LOCK: {}},
                {"ansible.builtin.wait_for": {"path": str(self.end), "sleep": 1}},
                {LOCK: {"state": "released"}},
            ],
        )
        command = [program("ansible-playbook"), "-i", str(place.inventory), str(playbook)]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, env=clean_environment(), stdout=subprocess.DEVNULL, start_new_session=True
        )
        wait_until(place.record.exists)

    def kill(self) -> None:
        """The controller's process alone, as the kernel does when memory runs out; and then what it had started."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def modules_running() -> Set[int]:
    """The processes that are the lock's module at work."""
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (directory / "cmdline").read_bytes().split(b"\0")
            if b"python" in words[0] and any(b"AnsiballZ_mattermost_run_lock" in word for word in words[1:]):
                found.add(int(directory.name))
    return found


def test_the_second_run_is_refused_and_told_who_holds_it(place: Place) -> None:
    holding = HoldingRun(place)
    try:
        at_once, later = {LOCK: {}, "ignore_errors": True}, {LOCK: {"timeout": 1}}
        refused = place.run(at_once, later, {LOCK: {"state": "released"}}, may_fail=True)
        assert (refused.returncode, len(refused.tasks)) == (2, 2)
        message = refused.tasks[-1]["result"]["msg"]
        for words in (f"(process {holding.process.pid})", "since 20", "state=released force=true"):
            assert words in message, message
        assert place.holder()["pid"] == holding.process.pid
        taken = place.run({LOCK: {"force": True}})
        assert taken.tasks[0]["result"]["changed"]
        assert place.holder()["pid"] != holding.process.pid
    finally:
        holding.end.touch()
        assert holding.process.wait(timeout=60) == 0
    assert place.record.exists(), "the first run has given back what is not its own any more"


def test_the_second_run_waits_when_it_may(place: Place) -> None:
    holding = HoldingRun(place)
    seen: Set[int] = set()

    def release_it_when_the_other_waits() -> None:
        wait_until(lambda: len(seen.update(modules_running()) or seen) > 1)  # the first call asks, the second waits
        holding.end.touch()

    releasing = threading.Thread(target=release_it_when_the_other_waits)
    releasing.start()
    run = place.run({LOCK: {"timeout": 300}})
    releasing.join()
    assert run.tasks[0]["result"]["waited"] is True
    assert holding.process.wait(timeout=60) == 0


def test_a_run_that_was_killed_does_not_stand_in_the_way(place: Place) -> None:
    holding = HoldingRun(place)
    holding.kill()
    assert place.holder()["pid"] == holding.process.pid
    run = place.run({LOCK: {}}, {LOCK: {}}, {LOCK: {"state": "released"}}, {LOCK: {"state": "released"}})
    assert [task["result"]["changed"] for task in run.tasks] == [True, False, True, False]
    assert [task["result"]["waited"] for task in run.tasks] == [False] * 4
    assert not place.record.exists()
