# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that are no UTF-8 in a plugin directory: whoever may write there cannot silence the report about it."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterator

import pytest

from plugops_tests.modules.place import Place, broken_place

ODD = b"n\xe4me"


@pytest.fixture
def place() -> Iterator[Place]:
    """Entries of root in the plugin directory: a file in a plugin, and a directory that a server skips."""
    with broken_place() as made:
        plugins = os.fsencode(made.plugin().parent)
        os.mkdir(os.path.join(plugins, ODD))
        with open(os.path.join(plugins, ODD, b"plugin.json"), "wb") as manifest:
            manifest.write(b"{")
        with open(os.path.join(os.fsencode(made.plugin()), ODD), "wb") as odd:
            odd.write(b"odd")
        yield made


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize(
    ("module", "more"),
    [
        ("mattermost_plugin_info", {"files": True, "server_version": "5.36.1"}),
        ("mattermost_plugin_directories", {}),
        ("mattermost_plugin", {"server_version": "5.36.1", "plugins": []}),
    ],
)
def test_the_answer_is_one_that_ansible_takes(
    place: Place, module: str, more: Dict[str, Any], check_mode: bool
) -> None:
    answer = place.call(module, {"root": str(place.server.root), **more}, check_mode)
    assert not answer.get("failed"), answer.get("msg")
    text = json.dumps(answer, ensure_ascii=False)
    text.encode("utf-8")
    assert "n\\\\xe4me" in text  # a backslash, as JSON writes it
