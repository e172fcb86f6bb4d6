# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugin of a test session that runs under strace: it marks where each call of a module begins and ends.

Besides, the whole install directory is the service account's, as Mattermost's own instructions have it, and for each
call is noted what that account could change. ``security.strace`` reads it all.
"""

from __future__ import annotations

import json
import os
import pwd
import stat
from pathlib import Path
from typing import Any, Dict, List, Mapping, Set

import pytest

from plugops_tests.modules import harness as module_harness
from plugops_tests.modules import place as module_place
from plugops_tests.security import strace
from plugops_tests.security.strace import Territory
from plugops_tests.servers.server_process import unprivileged_user

NOTES = "PLUGOPS_ORACLE_NOTES"
CHOSEN = "PLUGOPS_ORACLE_TESTS"  # a JSON list of parameters; other tests are not run
_given: Set[str] = set()
_run = module_harness._run
_snapshot = module_place.Place.snapshot


def territory(root: str, uid: int) -> Territory:
    """What an account can change below a directory that is root's."""
    writable: List[str] = []
    links: Dict[str, str] = {}
    for directory, names, files in os.walk(root):
        if _can_write(os.lstat(directory), uid):
            writable.append(directory)
        for name in (*names, *files):
            path = os.path.join(directory, name)
            if os.path.islink(path):
                links[path] = os.readlink(path)
    return Territory(frozenset(writable), links)


def _can_write(found: os.stat_result, uid: int) -> bool:
    """The owner can give itself the right; a sticky directory lets everybody make names."""
    group = pwd.getpwuid(uid).pw_gid
    return found.st_uid == uid or bool(found.st_mode & stat.S_IWOTH) or _by_group(found, group)


def _by_group(found: os.stat_result, group: int) -> bool:
    return found.st_gid == group and bool(found.st_mode & stat.S_IWGRP)


def noted(path: Path) -> Dict[str, Territory]:
    """Label -> what the account could change while that call ran."""
    found = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {item["label"]: Territory(frozenset(item["writable"]), item["links"]) for item in found}


def give(install_dir: str, uid: int, gid: int) -> None:
    """The install directory to the service account, wholly, but for links that root has made there.

    Once, before anything is looked at: what is given has another ctime.
    """
    if install_dir in _given or not os.path.isdir(install_dir):
        return
    _given.add(install_dir)
    for directory, names, files in os.walk(install_dir):
        for path in [directory, *(os.path.join(directory, name) for name in (*names, *files))]:
            if not os.path.islink(path):
                os.lchown(path, uid, gid)


def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    """Keep the tests that have the chosen parameters, each of which must be there."""
    if CHOSEN not in os.environ:
        return
    names = set(json.loads(os.environ[CHOSEN]))
    found = [(item.name.partition("[")[2][:-1], item) for item in items]
    missing = sorted(names.difference(name for name, _ in found))
    if missing:
        raise pytest.UsageError(f"there is no test of {', '.join(missing)}")
    items[:] = [item for name, item in found if name in names]


def _traced(module: str, arguments: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    account = pwd.getpwnam(str(unprivileged_user()))
    root = str(arguments.get("root") or "/nowhere")
    give(os.path.join(root, "opt/mattermost"), account.pw_uid, account.pw_gid)
    before = territory(root, account.pw_uid)
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0].partition("::")[2]
    label = f"{test} {len(_labels)}".replace("/", "_")
    _labels.append(label)
    os.path.exists(f"{strace.MARK}/{label}")
    try:
        return _run(module, arguments, check_mode)
    finally:
        os.path.exists(f"{strace.MARK}/end")
        found = before.joined(territory(root, account.pw_uid))
        item = {"label": label, "writable": sorted(found.writable), "links": dict(found.links)}
        with open(os.environ[NOTES], "a", encoding="utf-8") as notes:
            notes.write(json.dumps(item) + "\n")


def _given_first(place: module_place.Place) -> module_harness.Snapshot:
    account = pwd.getpwnam(str(unprivileged_user()))
    give(str(place.server.install_dir), account.pw_uid, account.pw_gid)
    return _snapshot(place)


_labels: List[str] = []
if os.environ.get(NOTES):
    module_harness._run = _traced
    module_place.Place.snapshot = _given_first  # type: ignore[method-assign, assignment]
