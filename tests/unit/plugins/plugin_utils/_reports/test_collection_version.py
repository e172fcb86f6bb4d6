# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version of the collection: of an installed one, of a checkout, of one with neither file."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from ansible_collections.plugops.mattermost.plugins.plugin_utils._reports.collection_version import collection_version

from plugops_tests.support.playbooks import REPOSITORY


def test_a_checkout_has_the_version_of_galaxy_yml() -> None:
    assert collection_version() == yaml.safe_load((REPOSITORY / "galaxy.yml").read_text(encoding="utf-8"))["version"]


def test_an_installed_collection_has_the_version_of_its_manifest(tmp_path: Path) -> None:
    (tmp_path / "galaxy.yml").write_text("version: 1.0.0\n", encoding="utf-8")
    (tmp_path / "MANIFEST.json").write_text(json.dumps({"collection_info": {"version": "2.3.4"}}), encoding="utf-8")
    assert collection_version(tmp_path) == "2.3.4"


def test_with_neither_file_there_is_no_version(tmp_path: Path) -> None:
    assert collection_version(tmp_path) == ""
