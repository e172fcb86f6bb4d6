# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a wanted plugin from the controller to the node, as JSON."""

from __future__ import annotations

import json

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.wanted import WantedPlugin, wanted_of
from hypothesis import given
from hypothesis import strategies as st


@given(
    st.builds(
        WantedPlugin,
        id=st.text(min_size=1),
        present=st.booleans(),
        enabled=st.booleans(),
        version=st.text(),
        sha256=st.text(),
        size=st.integers(0),
        tree=st.text(),
        min_server_version=st.text(),
        executables=st.lists(st.text(), max_size=3).map(tuple),
        unexecutable=st.lists(st.text(), max_size=3).map(tuple),
        signature=st.text(),
    )
)
def test_survives_the_way(plugin: WantedPlugin) -> None:
    assert WantedPlugin.from_dict(json.loads(json.dumps(plugin.to_dict()))) == plugin


def test_missing_fields_have_defaults_and_unknown_ones_are_no_secret_guess() -> None:
    assert WantedPlugin.from_dict({"id": "p", "executables": None}) == WantedPlugin("p")
    with pytest.raises(TypeError, match="colour"):
        WantedPlugin.from_dict({"id": "p", "colour": "red"})


def test_a_list_that_no_controller_half_read_is_an_error() -> None:
    plugins = [{"src": "files/p-1.0.0.tar.gz"}]
    with pytest.raises(OperatorError, match="without its action plugin"):
        wanted_of({"plugins": plugins, "bundles": None})
    assert wanted_of({"plugins": [], "bundles": None}) == []
    assert wanted_of({"plugins": None, "bundles": [{"id": "p"}]}) == [WantedPlugin("p")]
