# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what servers do by version: complete, sourced, and the only place that compares versions by number."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Dict, Iterator, Optional, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.server_version import ServerVersion
from ansible_collections.plugops.mattermost.plugins.module_utils._server import features
from ansible_collections.plugops.mattermost.plugins.module_utils._server.features import FIRST_RELEASE, Feature

from plugops_tests.support.playbooks import REPOSITORY

FEATURES: Dict[str, Feature] = {name: value for name, value in vars(features).items() if isinstance(value, Feature)}
TABLE = REPOSITORY / "plugins/module_utils/_server/features.py"
KEYS = (
    REPOSITORY / "plugins/module_utils/_config/plugin_settings.py"
)  # a table of its own: keys and their first versions
CODE = sorted((REPOSITORY / "plugins").rglob("*.py"))
TASKS = sorted([*(REPOSITORY / "roles").rglob("*.y*ml"), *(REPOSITORY / "playbooks").rglob("*.y*ml")])


def version_literals(source: str) -> Iterator[str]:
    """``ServerVersion(5, 2)``, ``version >= (5, 2)``, ``parse_server_version("5.2")``, ``version.major >= 6``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and any(isinstance(argument, ast.Constant) for argument in node.args):
            if ast.unparse(node.func).rpartition(".")[2] in ("ServerVersion", "parse_server_version"):
                yield ast.unparse(node)
        elif isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
            named = any(re.search(r"version|\.major\b|\.minor\b", ast.unparse(part)) for part in parts)
            if named and any(_is_number(part) for part in parts):
                yield ast.unparse(node)


def _is_number(node: ast.expr) -> bool:
    items = node.elts if isinstance(node, ast.Tuple) else [node]
    return bool(items) and all(isinstance(item, ast.Constant) and type(item.value) is int for item in items)


@pytest.mark.parametrize("path", [path for path in CODE if path not in (TABLE, KEYS)], ids=lambda path: path.name)
def test_no_version_is_written_elsewhere(path: Path) -> None:
    assert list(version_literals(path.read_text(encoding="utf-8"))) == []


def test_keys_of_plugin_settings_are_a_table_of_their_own() -> None:
    source = ast.parse(KEYS.read_text(encoding="utf-8"))
    tables = [node for node in source.body if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "KEYS"]
    rest = [node for node in source.body if node not in tables]
    assert len(tables) == 1
    assert list(version_literals(ast.unparse(ast.Module(rest, [])))) == []


@pytest.mark.parametrize("path", TASKS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_role_compares_versions(path: Path) -> None:
    """They act on results of modules."""
    found = re.findall(r"(?:is|is not|\|)\s+version(?:_compare)?\s*\(.*?\)", path.read_text(encoding="utf-8"))
    assert found == []


def test_what_is_looked_for_is_found() -> None:
    bad = "a = ServerVersion(5, 2)\nb = version >= (5, 2)\nc = parse_server_version('5.2')\nd = version.major >= 6\n"
    assert len(list(version_literals(bad))) == 4
    assert list(version_literals("a = ServerVersion(int(x), int(y))\nb = version < other\nc = len(ids) > 3\n")) == []
    assert len(list(version_literals(TABLE.read_text(encoding="utf-8")))) > len(FEATURES)


@pytest.mark.parametrize("name", FEATURES)
def test_each_feature_says_what_and_where(name: str) -> None:
    feature = FEATURES[name]
    assert re.fullmatch(r"[A-Z].{20,}\.", feature.what), "a sentence"
    number = r"\bv\d+\.\d+(?:\.\d+)?"
    place = r"\.go\b|changelog of|docs\.mattermost\.com|pull request \d+"
    assert re.search(number, feature.source), "a release"
    assert re.search(place, feature.source), "a file of the server, or a page"
    assert feature.since >= FIRST_RELEASE
    assert feature.until is None or feature.until > feature.since
    assert (feature.since, feature.until) != (FIRST_RELEASE, None), "what every server does is no fact by version"


@pytest.mark.parametrize("name", FEATURES)
def test_each_feature_is_used(name: str) -> None:
    users = [
        path for path in CODE if path != TABLE and re.search(rf"\bfeatures\.{name}\b", path.read_text(encoding="utf-8"))
    ]
    assert users != []


def test_no_fact_is_there_twice() -> None:
    assert len({feature.what for feature in FEATURES.values()}) == len(FEATURES)


@pytest.mark.parametrize(
    ("since", "until", "version", "does"),
    [
        ((5, 2), None, (5, 1, 9), False),
        ((5, 2), None, (5, 2), True),
        ((5, 2), None, None, True),
        ((5, 2), (5, 14), (5, 13, 9), True),
        ((5, 2), (5, 14), (5, 14), False),
        ((5, 2), (5, 14), None, False),
    ],
)
def test_versions(
    since: Tuple[int, int], until: Optional[Tuple[int, int]], version: Optional[Tuple[int, ...]], does: bool
) -> None:
    feature = Feature("…", "…", ServerVersion(*since), ServerVersion(*until) if until else None)
    assert feature.in_version(ServerVersion(*version) if version else None) is does


@pytest.mark.parametrize("name", FEATURES)
def test_a_version_that_is_not_known_counts_as_the_newest(name: str) -> None:
    assert FEATURES[name].in_version(None) == FEATURES[name].in_version(ServerVersion(9999, 0))
