# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan of an unchanged cluster costs is mostly what its module loads, on each app server in each run."""

from __future__ import annotations

import os
import subprocess
import sys

from plugops_tests.support.playbooks import REPOSITORY

COLLECTION = "ansible_collections.plugops.mattermost.plugins"
# An audit, a comparison of nodes, bundles on their way, manifests in YAML.
FOR_OTHERS = ("_audit.audit", "_audit.codes", "_log.patterns", "_report.comparable", "_change.checkpoint_take")
FOR_OTHERS += ("_plugins.install_by_upload", "_plugins.install_by_unpacking", "_plugins.install_at_next_start")
FOR_OTHERS += ("_plugins.installer", "_plugins.uploader", "_plugins.node_uploader", "_plugins.startup_changes")
FOR_OTHERS += ("_plugins.api_plugin_set", "_plugins.api_observer", "_plugins.upload_record")
FOR_OTHERS += ("_bundle.bundle", "_bundle.unpacker", "_http.downloads", "_http.transfer", "_server.session")
FOR_OTHERS += ("_formats.yaml", "_formats.tar_reader", "_formats.gzip_reader")


def test_the_module_of_a_plan_loads_nothing_that_only_others_need() -> None:
    code = f"import sys, {COLLECTION}.modules.mattermost_plugin_info; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "collections")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    loaded = {name.partition(".module_utils.")[2] for name in done.stdout.split() if name.startswith(COLLECTION)}
    assert "_plugins.plugin_set" in loaded
    assert loaded.intersection(FOR_OTHERS) == set()
