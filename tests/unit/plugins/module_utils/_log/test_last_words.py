# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server has said of why a plugin does not run: in its log, or in the states of plugins where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Sequence, Tuple, cast

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._log.server_log import last_words
from ansible_collections.plugops.mattermost.plugins.module_utils._node.node import Node, NodeOptions

WORDS = "unable to start plugin: must at least have a web app or server component"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    install = tmp_path / "opt/mattermost"
    (install / "config").mkdir(parents=True)
    (install / "config/config.json").write_text("{}")
    unit = tmp_path / "etc/systemd/system/mattermost.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nWorkingDirectory=/opt/mattermost\nExecStart=/opt/mattermost/bin/mattermost\n")

    def run(argv: Sequence[str]) -> Tuple[int, str, str]:
        raise AssertionError(f"an image runs nothing: {argv}")

    return Node(NodeOptions(root=str(tmp_path)), run)


def log(tmp_path: Path, *lines: Any) -> None:
    path = tmp_path / "opt/mattermost/logs/mattermost.log"
    path.parent.mkdir()
    path.write_text("".join(f"{json.dumps(line) if isinstance(line, dict) else line}\n" for line in lines))


def said(level: str, plugin_id: str, message: str, error: str) -> Any:
    time = "2026-11-24 13:43:31.024 Z"
    return {"timestamp": time, "level": level, "msg": message, "plugin_id": plugin_id, "error": error}


def test_the_last_error_of_each_plugin_asked_for(tmp_path: Path, node: Node) -> None:
    log(
        tmp_path,
        said("error", "com.example.a", "Failed to sync plugin from file store", "installExtractedPlugin: something"),
        said("error", "com.example.a", "Unable to activate plugin", WORDS),
        said("warn", "com.example.a", "Skipping sync for unmanaged plugin", ""),
        said("error", "com.example.b", "Unable to activate plugin", "not asked for"),
        "no JSON",
    )
    found = last_words(node, ["com.example.a", "com.example.c"])
    assert found == {"com.example.a": f"Unable to activate plugin: {WORDS}"}


def test_a_text_log(tmp_path: Path, node: Node) -> None:
    log(
        tmp_path,
        "[2018/01/04 13:00:35 UTC] [EROR] unable to start plugin: com.example.a: fork/exec x: exec format error",
    )
    assert "exec format error" in last_words(node, ["com.example.a"])["com.example.a"]


def test_no_log_is_no_words(node: Node) -> None:
    assert last_words(node, ["com.example.a"]) == {}


def test_of_an_api_alone_what_the_states_say() -> None:
    statuses = [
        {"plugin_id": "com.example.A", "state": 3, "error": WORDS},
        {"plugin_id": "com.example.b", "state": 2, "error": ""},
    ]
    api = SimpleNamespace(api_only=True, answering_server=lambda: SimpleNamespace(statuses=lambda: statuses))
    assert last_words(cast(Node, api), ["com.example.a", "com.example.b"]) == {"com.example.a": WORDS}
