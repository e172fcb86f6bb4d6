# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in options that logs show are refused on the controller by every module that takes them, before it runs."""

from __future__ import annotations

import importlib
from typing import Any, Dict
from unittest import mock

import pytest
import yaml
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.plugin_utils._play.misplaced_options import refuse_misplaced

from plugops_tests.support.playbooks import REPOSITORY

COLLECTION = "ansible_collections.plugops.mattermost.plugins"
SECRET = "S3kretV4lue9"
MISPLACED: Dict[str, Dict[str, Any]] = {
    "account": {"api_url": f"https://admin:{SECRET}@app1.example.com"},
    "token": {"api_url": f"https://app1.example.com?token={SECRET}"},
    "fragment": {"api_url": f"https://app1.example.com/#{SECRET}"},
    "no address": {"api_url": f"admin:{SECRET}@app1"},
    "settings": {"settings": {"Plugins": {"com.example.a": {"token": SECRET}}}},
    "settings in lower case": {"settings": {"plugins": SECRET}},
}
NODE_MODULES = yaml.safe_load((REPOSITORY / "meta/runtime.yml").read_text(encoding="utf-8"))["action_groups"]["node"]


def _answer(module: str, args: Dict[str, Any]) -> Dict[str, Any]:
    """Of the module's action, which may not send anything to the app server."""
    action_class = importlib.import_module(f"{COLLECTION}.action.{module}").ActionModule
    task = mock.Mock(args={"plugins": [], **args}, async_val=0, check_mode=False, diff=False, environment=None)
    action = action_class(task, mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock())
    with mock.patch.object(action_class, "_execute_module", side_effect=AssertionError("the module is sent")):
        answer = action.run(None, {})
    assert isinstance(answer, dict)
    return answer


@pytest.mark.parametrize("case", MISPLACED)
@pytest.mark.parametrize("module", NODE_MODULES)
def test_a_misplaced_secret_never_leaves_the_controller(module: str, case: str) -> None:
    answer = _answer(module, MISPLACED[case])
    assert answer["failed"] is True
    assert "What to do: give " in answer["msg"]
    assert SECRET not in repr(answer)


@pytest.mark.parametrize("module", NODE_MODULES)
def test_what_is_in_its_place_is_sent(module: str) -> None:
    with pytest.raises(AssertionError, match="the module is sent"):
        _answer(module, {"api_url": "https://app1.example.com:8065/chat", "api_token": SECRET, "settings": {}})


@pytest.mark.parametrize(
    "args", [{}, {"api_url": None, "settings": None}, {"api_url": "", "settings": {"Enable": True}}]
)
def test_options_that_hold_none(args: Dict[str, Any]) -> None:
    refuse_misplaced(args)


def test_every_module_with_an_address_is_of_the_group() -> None:
    documented = [
        path.stem
        for path in (REPOSITORY / "plugins/modules").glob("*.py")
        if "plugops.mattermost.node" in path.read_text(encoding="utf-8")
    ]
    assert sorted(documented) == sorted(NODE_MODULES)


def test_the_error_says_where_it_belongs() -> None:
    with pytest.raises(OperatorError, match="api_token"):
        refuse_misplaced({"api_url": "https://a?token=b"})
    with pytest.raises(OperatorError, match="plugins of mattermost_plugin_settings"):
        refuse_misplaced({"settings": {"PLUGINS": {}}})
