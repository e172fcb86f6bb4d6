# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a node: who holds it, who may take it over, and that of many who want it one gets it."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._change.run_lock import (
    FILE_NAME,
    LOCK,
    Holder,
    RunLock,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._host.process import boot_of
from ansible_collections.plugops.mattermost.plugins.plugin_utils._play import this_run as this_run_module
from ansible_collections.plugops.mattermost.plugins.plugin_utils._play.this_run import is_gone, this_run

MINE = Holder("mine", "ann", "control-1", 4711)
OTHER = Holder("other", "bob", "control-2", 42)


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lock(tmp_path: Path, clock: Clock) -> RunLock:
    return RunLock(str(tmp_path / "state" / FILE_NAME), clock)


def test_the_second_run_is_told_who_holds_it(lock: RunLock, clock: Clock) -> None:
    assert lock.holder() is None
    assert lock.take(MINE, 60) is None
    clock.now += 10
    other = lock.take(OTHER, 60)
    assert other is not None
    assert (other.run, other.since, other.expires) == ("mine", clock.now - 10, clock.now + 50)
    for word in ("ann", "control-1", "4711", "since", "2023-11-1"):
        assert word in other.description()


def test_taken_again_it_keeps_since_and_gets_another_lease(lock: RunLock, clock: Clock) -> None:
    lock.take(MINE, 60)
    clock.now += 50
    assert lock.take(MINE, 60) is None
    clock.now += 50
    found = lock.holder()
    assert found is not None
    assert (found.since, found.expires) == (clock.now - 100, clock.now + 10)


def test_a_lease_that_is_over_counts_no_more(lock: RunLock, clock: Clock) -> None:
    lock.take(MINE, 60)
    clock.now += 60
    assert lock.take(OTHER, 60) is None
    assert lock.take(MINE, 60) is not None


def test_taken_over_from_the_run_that_is_gone_and_from_no_other(lock: RunLock) -> None:
    lock.take(MINE, 60)
    third = replace(OTHER, run="third")
    assert lock.take(OTHER, 60, gone="third") is not None
    assert lock.take(OTHER, 60, gone="mine") is None
    assert lock.take(third, 60, gone="mine") is not None, "it has another holder since"


def test_released_by_its_holder_or_by_force(lock: RunLock, tmp_path: Path) -> None:
    lock.release("mine")
    assert not (tmp_path / "state").exists()
    lock.take(MINE, 60)
    lock.release("other")
    assert lock.holder() is not None
    lock.release("mine")
    assert lock.holder() is None
    lock.take(MINE, 60)
    lock.release("other", force=True)
    assert os.listdir(tmp_path / "state") == [FILE_NAME + LOCK]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"run": "x", "expires": "soon"}', '{"expires": 9e99}'])
def test_a_damaged_record_holds_nothing(lock: RunLock, tmp_path: Path, damage: str) -> None:
    lock.take(MINE, 60)
    (tmp_path / "state" / FILE_NAME).write_text(damage)
    assert lock.holder() is None
    assert lock.take(OTHER, 60) is None


def _race(path: str, name: str, start: Any, results: Any) -> None:
    start.wait()
    results.put(RunLock(path).take(Holder(name), 60) is None)


def test_of_many_who_want_it_one_gets_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, results = context.Event(), context.Queue()
    path = str(tmp_path / "state" / FILE_NAME)
    racers = [context.Process(target=_race, args=(path, f"run-{number}", start, results)) for number in range(8)]
    for racer in racers:
        racer.start()
    start.set()
    won = [results.get(timeout=30) for _ in racers]
    for racer in racers:
        racer.join()
    assert sorted(won) == [False] * 7 + [True]


# The controller's side.


def _other_process(code: str) -> Dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", code], env=_environment(), capture_output=True, text=True, check=True, timeout=60
    )
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def _environment() -> Dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


EARLIER = f"{boot_of(this_run().process)} 1 1"
PRINT = "print(json.dumps({name}.this_run().to_dict()))"
IMPORT = "import json; from ansible_collections.plugops.mattermost.plugins.plugin_utils._play import this_run; "


def test_a_run_that_has_ended_is_gone_and_one_that_runs_is_not() -> None:
    assert not is_gone(this_run())
    ended = Holder.from_dict(_other_process(IMPORT + PRINT.format(name="this_run")))
    assert ended.run != this_run().run
    assert is_gone(ended)


def test_workers_are_of_the_run_of_their_parent() -> None:
    code = IMPORT + (
        "import multiprocessing as m; q = m.get_context('fork').SimpleQueue();"
        "p = m.get_context('fork').Process(target=lambda: q.put(this_run.this_run().to_dict())); p.start();"
        "print(json.dumps({'same': q.get() == this_run.this_run().to_dict()})); p.join()"
    )
    assert _other_process(code) == {"same": True}


def test_a_number_that_another_process_has_now_is_not_the_run() -> None:
    assert is_gone(replace(this_run(), process=EARLIER))


@pytest.mark.parametrize(
    "where", [{"controller": "elsewhere"}, {"namespace": "pid:[1]"}, {"process": "other-boot 1 1"}]
)
def test_of_runs_elsewhere_nothing_is_known(where: Dict[str, str]) -> None:
    """A machine of the same name has another boot; so has this one before it started."""
    assert not is_gone(replace(this_run(), **{"process": EARLIER, **where}))


def test_without_proc_the_number_alone_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(this_run_module, "_identity", lambda pid: "")
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert this_run().process == ""
    assert not is_gone(this_run())
    assert is_gone(replace(this_run(), pid=ended.pid))


def test_what_was_begun_and_not_ended_is_recorded_and_keeps_nobody_out(lock: RunLock, clock: Clock) -> None:
    lock.take(MINE, 60)
    lock.release("mine", unfinished=True)
    found = lock.recorded()
    assert found is not None
    assert (found.run, lock.holder()) == ("mine", None)
    assert "it released its lock" in found.description()
    lock.release("other")
    assert lock.recorded() == found, "what another run is to end is lost"
    assert lock.take(OTHER, 60) is None
    lock.release("other")
    assert lock.recorded() is None


def test_a_run_that_was_cut_off_is_recorded_after_its_lease(lock: RunLock, clock: Clock) -> None:
    lock.take(MINE, 60)
    clock.now += 61
    assert lock.holder() is None
    assert lock.recorded() is not None
