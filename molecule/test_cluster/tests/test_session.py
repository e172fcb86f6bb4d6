# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test session through the load balancer as in a CI: it knows only result.json."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from plugops_tests.servers.session import Session, read_result

PLUGINS = [f"com.example.plugin{number:02d}" for number in range(1, 6)]


@pytest.fixture(scope="module")
def kept() -> Path:
    return Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "kept"


@pytest.fixture(scope="module")
def session(kept: Path) -> Session:
    result = read_result(kept)
    return Session.log_in(result["url"], result["admin"]["username"], result["admin"]["password"])


def test_a_post_is_read_back_through_every_app_server(session: Session, kept: Path) -> None:
    channel = session.channel("testers")
    session.post(channel, "Is anybody there?")
    for node in read_result(kept)["nodes"]:
        assert "Is anybody there?" in Session(node["url"], session.token).messages(channel)


def test_the_plugins_run(session: Session) -> None:
    assert session.running_plugins() == dict.fromkeys(PLUGINS, "1.1.0")


def test_the_token_is_an_admins_on_every_app_server(kept: Path) -> None:
    result = read_result(kept)
    for url in [result["url"], *(node["url"] for node in result["nodes"])]:
        assert "system_admin" in Session(url, result["admin"]["token"]).me()["roles"]


def test_the_result_has_what_a_test_needs_and_only_its_owner_can_read_it(kept: Path) -> None:
    result = read_result(kept)
    assert {node["server_version"] for node in result["nodes"]} == {"9.10.0"}
    for node in result["nodes"]:
        assert {name: item["state"] for name, item in node["plugins"].items()} == dict.fromkeys(PLUGINS, 2)
    for path in kept.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
