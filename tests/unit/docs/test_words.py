# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain technical English, one word for one thing: words that the project does not use (docs/architecture.md has those
that it uses)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator, List

import pytest

from plugops_tests.support.playbooks import REPOSITORY

PLACES = ("plugins", "roles", "playbooks", "docs", "inventories", "examples", "molecule")
RETIRED = re.compile(
    r"\b(mend(s|ed|ing)?|shall|said|owe[sd]?|anew|whatever|obstacles?|concerns?|way is open|cannot be gone|"
    r"stands? in (the|its|their) way|of then|see to it|will not do|this room|every room)\b",
    re.IGNORECASE,
)
# Names of the public interface, which stay: a finding, keys of results.
PUBLIC = re.compile(r"restart-owed|[\"']obstacles[\"']|^ *obstacles:|[\"'.]concern\b|\bmends\b(?=[\"':=)\s,]|$)")


def files() -> Iterator[Path]:
    for place in PLACES:
        for path in sorted((REPOSITORY / place).rglob("*")):
            if path.is_file() and path.suffix in (".py", ".yml", ".md", ".j2") and "__pycache__" not in path.parts:
                yield path
    yield from (REPOSITORY / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md"))


def retired(text: str) -> List[str]:
    lines = (PUBLIC.sub("", line) for line in text.split("\n"))
    return [line.strip() for line in lines if RETIRED.search(line)]


@pytest.mark.parametrize("path", list(files()), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_retired_word(path: Path) -> None:
    assert retired(path.read_text(encoding="utf-8")) == []


def test_a_retired_word_would_be_found() -> None:
    assert retired("the way is open\nit is fixed\nSee to it that it is mended") != []
    assert retired('TABLE = {"concern": 1, "obstacles": 2, "restart-owed": 3}\n        obstacles:\nmends=True') == []
