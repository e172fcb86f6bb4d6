# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/architecture.md: made from the code where it can be, and every file that it names is there."""

from __future__ import annotations

import re
import sys
from typing import Iterator

import pytest

from plugops_tests.support.playbooks import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "docs"))
import make_architecture

PAGE = (REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8")
PLACES = ("", "plugins", "plugins/module_utils", "plugins/plugin_utils", "roles/app_server/tasks")
_SUFFIXES = (".py", ".yml", ".md")


def named() -> Iterator[str]:
    """Files in backticks, as the page names them."""
    for text in re.findall(r"`([\w./-]+)`", PAGE):
        if text.endswith(_SUFFIXES):
            yield text


def test_picture_and_table_are_made_from_the_code() -> None:
    """After a move: python3 docs/make_architecture.py"""
    assert make_architecture.page() == PAGE


@pytest.mark.parametrize("name", sorted(set(named())))
def test_files_that_it_names_are_there(name: str) -> None:
    found = [place for place in PLACES if (REPOSITORY / place / name).is_file()]
    assert found or list((REPOSITORY / "tests").rglob(name)), name


def test_it_names_files() -> None:
    assert len(set(named())) > 30
