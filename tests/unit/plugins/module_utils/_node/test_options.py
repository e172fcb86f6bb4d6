# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator says about a node, before anything is looked at there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._node.options import NODE_ARGUMENTS, NodeOptions


def options(**given: Any) -> NodeOptions:
    params: Dict[str, Any] = {name: argument.get("default") for name, argument in NODE_ARGUMENTS.items()}
    return NodeOptions.from_params({**params, **given})


def test_a_root_that_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for root in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(OperatorError, match=f"root must be a directory.*{root}"):
            options(root=str(root))
    assert options(root=str(tmp_path)).root == str(tmp_path)


def test_empty_texts_of_a_role_are_what_was_not_said() -> None:
    assert options(root="", install_dir="", socket="", server_version="") == NodeOptions()


@pytest.mark.parametrize("name", ["install_dir", "working_directory", "config_path", "socket", "state_dir"])
def test_paths_are_written_in_full(name: str) -> None:
    with pytest.raises(OperatorError, match=f"{name} must be an absolute path"):
        options(**{name: "opt/mattermost"})
