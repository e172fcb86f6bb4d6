# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make cluster` and `make cluster-down`: a Mattermost cluster on three test hosts of this machine.

The stand-in's release, unless MATTERMOST_RELEASE names a tarball; the plugins of the directory MATTERMOST_BUNDLES,
else five of the tests' own.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

from plugops_tests.clusters.artifacts import NEW, make_artifacts, plugin_ids
from plugops_tests.hosts import cluster
from plugops_tests.support.playbooks import REPOSITORY, clean_environment, program

PLACE = REPOSITORY / ".plugops"
STATE = PLACE / "hosts"
KEPT = PLACE / "test_cluster" / "test"
NAMES = ("app1", "app2", "app3")
VERSION = "9.10.0"
PLUGINS = 5


def up() -> int:
    """Can be called again: what is there stays, what differs is changed."""
    os.umask(0o022)
    PLACE.mkdir(exist_ok=True)
    cluster.up(STATE, cluster.Wanted(NAMES, "bookworm", "mattermost_app_servers", "deploy", ()))
    given = PLACE / "variables.json"
    given.write_text(json.dumps(_variables()), encoding="utf-8")
    return _play("test_cluster", "-e", f"@{given}")


def _variables() -> Dict[str, Any]:
    artifacts = PLACE / "artifacts"
    make_artifacts(artifacts, VERSION, PLUGINS, files=3)
    bundles = [artifacts / f"{plugin_id}-{NEW}.tar.gz" for plugin_id in plugin_ids(PLUGINS)]
    if os.environ.get("MATTERMOST_BUNDLES"):
        bundles = sorted(Path(os.environ["MATTERMOST_BUNDLES"]).glob("*.tar.gz"))
    release = os.environ.get("MATTERMOST_RELEASE") or artifacts / f"mattermost-{VERSION}.tar.gz"
    return {
        "test_cluster_release": str(Path(release).absolute()),
        "test_cluster_controller_directory": str(KEPT),
        "mattermost_plugins": [{"src": str(bundle.absolute())} for bundle in bundles],
    }


def _play(playbook: str, *options: str) -> int:
    command = [program("ansible-playbook"), "-i", str(STATE / "inventory.yml"), *options]
    return subprocess.run(
        [*command, f"playbooks/{playbook}.yml"], cwd=REPOSITORY, env=clean_environment(), check=False
    ).returncode


def down() -> int:
    """The hosts go, and everything of the cluster with them."""
    cluster.down(STATE)
    for directory in (KEPT, PLACE / "artifacts"):
        shutil.rmtree(directory, ignore_errors=True)
    (PLACE / "variables.json").unlink(missing_ok=True)
    for directory in (KEPT.parent, PLACE):
        with contextlib.suppress(OSError):  # another test cluster's secrets lie there too
            directory.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit({"up": up, "down": down}[sys.argv[1]]())
