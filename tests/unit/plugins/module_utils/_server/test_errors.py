# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers answer by number is known in one package; everybody else asks for the kind of an error."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._server import errors

from plugops_tests.support.playbooks import REPOSITORY

# _http reads the answers of any server that bundles are downloaded from.
KNOW_NUMBERS = [REPOSITORY / "plugins/module_utils" / name for name in ("_server", "_http")]
CODE = sorted(
    path for path in (REPOSITORY / "plugins").rglob("*.py") if not any(place in path.parents for place in KNOW_NUMBERS)
)


def statuses(source: str) -> Iterator[str]:
    """Comparisons of ``.status`` with numbers, and of ``.id`` with a server's error ids."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
            named = any(isinstance(part, ast.Attribute) and part.attr in ("status", "status_code") for part in parts)
            numbers = [item.value for part in parts for item in ast.walk(part) if isinstance(item, ast.Constant)]
            if named and any(type(number) is int for number in numbers):
                yield ast.unparse(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_error_id(node.value):
            yield node.value


def _is_error_id(text: str) -> bool:
    return text.startswith(("app.", "api.", "ent.")) and text.endswith("error") and " " not in text


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(REPOSITORY / "plugins")))
def test_no_status_is_compared_with_a_number_elsewhere(path: Path) -> None:
    assert list(statuses(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "bad",
    [
        "if error.status == 501: pass",
        "if error.status in (401, 403): pass",
        "if 404 == answer.status_code: pass",
        "NOT_INSTALLED = 'app.plugin.not_installed.app_error'",
    ],
)
def test_what_is_looked_for_is_found(bad: str) -> None:
    assert len(list(statuses(bad))) == 1


def test_the_docstring_draws_every_class() -> None:
    classes = [item for item in vars(errors).values() if isinstance(item, type) and item.__module__ == errors.__name__]
    assert len(classes) > 5
    for kind in (OperatorError, *classes):
        depth = kind.__mro__.index(OperatorError)
        lines = [line for line in (errors.__doc__ or "").splitlines() if f" {kind.__name__} " in line]
        assert [line.index(kind.__name__) for line in lines] == [4 + 4 * depth], kind.__name__
