# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service account changes at random all that it may while root plans, changes, audits and goes back; on a seed.

PLUGOPS_ADVERSARY_SECONDS says how long the modules are called one after another, PLUGOPS_ADVERSARY_SEED what it does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from plugops_tests.modules.harness import captured_log
from plugops_tests.sandbox.app_server import NEW, VERSION
from plugops_tests.security.adversary import Adversary
from plugops_tests.security.attacked import Deployment, failures
from plugops_tests.security.attacks import Target, account, bounded, doing, own_it, target

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: what a service account can make root do is tested"),
]

SECONDS = float(os.environ.get("PLUGOPS_ADVERSARY_SECONDS", "10"))
SEED = int(os.environ.get("PLUGOPS_ADVERSARY_SEED", "1"))
BOUND, MEGABYTES = 30, 300
INFO = "mattermost_plugin_info"
CHECKPOINT = "mattermost_plugin_checkpoint"
PATIENCE = 180.0
IN_THE_WAY = re.compile(r"/opt/mattermost/[^\s()'\"]+")


@pytest.fixture(autouse=True)
def _no_log_of_the_machine() -> Iterator[None]:
    with captured_log():
        yield


def calls(found: Target) -> List[Tuple[str, Dict[str, Any]]]:
    known = {"server_version": VERSION}
    wanted = {**known, "plugins": [{"src": found.place.bundle()}]}
    return [
        (INFO, {**wanted, "settings": {"EnableUploads": True}}),
        ("mattermost_plugin_directories", {}),
        (CHECKPOINT, {**wanted, "name": "before"}),
        ("mattermost_plugin_settings", {"settings": {"EnableUploads": True}, "via": "file", "backup": True}),
        ("mattermost_plugin", wanted),
        (INFO, {**wanted, "findings": True, "files": True, "bundle_digests": True, "update_cache": True}),
        ("mattermost_plugin", {**wanted, "strategy": "filestore"}),
        (CHECKPOINT, {**known, "state": "restored", "name": "before"}),
        ("mattermost_plugin", {**known, "plugins": [{"id": "com.example.hello", "state": "absent"}]}),
    ]


def test_an_adversary_gets_nothing_and_stops_nothing() -> None:
    with target() as found:
        healthy = found.place.directory / "healthy"
        shutil.copytree(found.install, healthy, symlinks=True)
        own_it(healthy, (account().pw_uid, account().pw_gid))
        os.chmod(healthy, 0o755)
        canary = str(found.canary.place)
        wanted = [canary, f"{canary}/shadow", f"{canary}/open", f"{canary}/open/new", "/victim", "/victim/closed"]
        adversary = Adversary(found.install, healthy, wanted, SEED)
        deployment = Deployment(found, VERSION)
        try:
            with found.canary.watched() as watch, doing(adversary.run):
                for playbook in ("plan", "site", "audit", "rollback"):
                    deployment.run(playbook, deployment.wanted(NEW) if playbook != "rollback" else {})
                changed = calls_for(SECONDS, found)
            assert watch.seen == []
            found.assert_unharmed()
            assert changed > 0, "no module came as far as to change something: the adversary was not met"

            put_right(found, deployment, healthy)
            run = deployment.run("site", deployment.wanted(NEW), may_fail=False)
            assert run.changed() == []
            report = found.call(INFO, plugins=deployment.wanted(NEW)["mattermost_plugins"], server_version=VERSION)
            assert (report["healthy"], report["differences"]) == (True, [])
            found.assert_unharmed()
        finally:
            subprocess.run(["rm", "-rf", str(found.install)], check=True)  # deeper than Python's own helpers can go


def calls_for(seconds: float, found: Target) -> int:
    """Call the modules again and again; how many changed something. Each ends in time and says what it has to say.

    On a machine that has little time for this it goes on until something was changed.
    """
    began, changed = time.monotonic(), 0
    while time.monotonic() < began + (seconds if changed else PATIENCE):
        for module, arguments in calls(found):
            answer = bounded(lambda m=module, a=arguments: found.call(m, **a), BOUND, MEGABYTES)
            assert not answer.get("failed") or answer.get("msg"), module
            assert "Traceback" not in json.dumps(answer)
            changed += bool(answer.get("changed"))
    return changed


def first_that_is_no_directory(install: Path, path: Path) -> Path:
    """What an operator looks at: no name behind a link, and nothing below what is missing."""
    at = install
    for part in path.relative_to(install).parts:
        at = at / part
        if at.is_symlink() or not at.is_dir():
            return at
    return path


def put_right(found: Target, deployment: Deployment, healthy: Path) -> None:
    """Until site.yml succeeds: where it does not, it names what lies in the way, and an operator moves just that away.

    What a server needs and no module makes, its configuration among it, an operator brings back.
    """
    for _ in range(20):
        run = deployment.run("site", deployment.wanted(NEW))
        if run.returncode == 0:
            return
        said = failures(run)
        named = [name.rstrip(".,:;") for name in IN_THE_WAY.findall(said)]
        assert named, f"site.yml does not say what an operator has to look at:\n{said}\n{run.output}"
        for name in sorted(set(named)):
            real = first_that_is_no_directory(found.install, found.place.real(name))
            subprocess.run(["rm", "-rf", "--", str(real)], check=True)
            kept = healthy / os.path.relpath(real, found.install)
            if kept.exists() and not name.startswith("/opt/mattermost/plugins/"):
                subprocess.run(["cp", "-a", str(kept), str(real)], check=True)
    raise AssertionError(f"site.yml does not make the app server healthy, whatever is moved away:\n{said}")
