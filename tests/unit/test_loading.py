"""What a plan of an unchanged cluster costs is mostly what its module loads, on each app server in each run."""

from __future__ import annotations

import os
import subprocess
import sys

from support.playbooks import REPOSITORY

COLLECTION = "ansible_collections.plugops.mattermost.plugins"
# An audit, a comparison of nodes, bundles on their way, manifests in YAML.
FOR_OTHERS = ("_audit", "_finding_codes", "_log_patterns", "_comparable", "_checkpoint_take", "_uploader")
FOR_OTHERS += ("_install_by_upload", "_installer", "_unpacker", "_downloads", "_transfer", "_yaml")
FOR_OTHERS += ("_bundle", "_archive", "_gunzip", "_api_access", "_api_plugin_set")


def test_the_module_of_a_plan_loads_nothing_that_only_others_need() -> None:
    code = f"import sys, {COLLECTION}.modules.mattermost_plugin_info; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "collections")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    loaded = {name.rpartition(".")[2] for name in done.stdout.split() if name.startswith(COLLECTION)}
    assert "_plugin_set" in loaded
    assert loaded.intersection(FOR_OTHERS) == set()
