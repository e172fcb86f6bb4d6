# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A strategy is registered in one place: every list of choices that operators see is that of the registry."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import pytest
import yaml
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.arguments import PLUGIN_ARGUMENTS
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.strategies.registry import (
    DEFAULT,
    NAMES,
    STRATEGIES,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.strategies.strategy import Strategy

from plugops_tests.modules.harness import accepted_options
from plugops_tests.support.playbooks import REPOSITORY

MODULES = ("mattermost_plugin", "mattermost_plugin_info", "mattermost_plugin_checkpoint")
PAGES = (
    *(REPOSITORY / "plugins" / "modules" / f"{name}.py" for name in MODULES),
    *sorted((REPOSITORY / "plugins" / "doc_fragments").glob("*.py")),
    *sorted((REPOSITORY / "roles").glob("*/meta/argument_specs.yml")),
)


def texts_of(path: Path) -> Iterator[str]:
    """The YAML texts of a file: the file itself, or the strings of a Python file."""
    if path.suffix == ".yml":
        yield path.read_text(encoding="utf-8")
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "choices:" in node.value:
            yield node.value


def strategy_options(value: Any, name: str = "") -> Iterator[Any]:
    """Every option that chooses a strategy, at any depth."""
    if isinstance(value, dict):
        if "choices" in value and name in ("strategy", "mattermost_plugin_strategy"):
            yield value
        for key, below in value.items():
            yield from strategy_options(below, key)


def documented() -> List[Tuple[str, Any]]:
    return [
        (path.stem if path.suffix == ".py" else path.parent.parent.name, option)
        for path in PAGES
        for text in texts_of(path)
        for option in strategy_options(yaml.safe_load(text))
    ]


def test_every_documented_choice_is_that_of_the_registry() -> None:
    found = documented()
    assert {name for name, _ in found} == {*MODULES, "plugins", "app_server"}, "an option was not found"
    for name, option in found:
        assert tuple(option["choices"]) == NAMES, name
        assert option.get("default", DEFAULT) == DEFAULT, name


@pytest.mark.parametrize("name", MODULES)
def test_every_module_takes_the_names_of_the_registry(name: str) -> None:
    option = accepted_options(name)["strategy"]
    assert (tuple(option["choices"]), option["default"]) == (NAMES, DEFAULT)


def test_every_entry_of_a_list_takes_them() -> None:
    assert tuple(PLUGIN_ARGUMENTS["strategy"]["choices"]) == NAMES


def test_every_strategy_is_registered() -> None:
    registered = {type(strategy) for strategy in STRATEGIES}
    assert {kind for kind in Strategy.__subclasses__() if kind.name != DEFAULT} == registered
    assert len({strategy.name for strategy in STRATEGIES}) == len(STRATEGIES)
    files = {path.stem for path in (REPOSITORY / "plugins/module_utils/_plugins/strategies").glob("*.py")}
    assert files - {"__init__", "strategy", "registry", "auto"} == {strategy.name for strategy in STRATEGIES}
