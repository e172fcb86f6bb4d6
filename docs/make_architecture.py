#!/usr/bin/env python3
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the picture and the table of packages in docs/architecture.md from the code: run it after a move of files."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Set

_HERE = Path(__file__).resolve().parent
_UTILS = _HERE.parent / "plugins" / "module_utils"
_PAGE = _HERE / "architecture.md"
_BEGIN, _END = "<!-- made from the code: docs/make_architecture.py -->", "<!-- end -->"
# Lowest first. A package imports from itself and from those before it; a test holds that.
FLOORS = (
    ("Ground", ("_core", "_formats", "_host", "_services", "_http")),
    ("Mattermost", ("_server", "_config", "_bundle")),
    ("App server", ("_node", "_log", "_startup")),
    ("Resources", ("_settings", "_directories", "_install", "_plugins")),
    ("Change", ("_change",)),
    ("Reports", ("_report", "_audit")),
)


def packages() -> List[str]:
    """Every package, lowest first."""
    return [package for _, floor in FLOORS for package in floor]


def imports() -> Dict[str, Set[str]]:
    """Package -> the other packages that its files import from, wherever in a file."""
    return {package: set(_imported(package)) - {package} for package in packages()}


def _imported(package: str) -> Iterator[str]:
    for path in sorted((_UTILS / package).rglob("*.py")):
        depth = len(path.relative_to(_UTILS).parts)  # dots that lead from the file to module_utils
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == depth:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                yield from (name.split(".")[0] for name in names)


def needed(found: Dict[str, Set[str]]) -> Dict[str, Set[str]]:
    """Without the arrows that another road of arrows makes superfluous, so that the picture can be read."""
    below: Dict[str, Set[str]] = {}
    for package in packages():
        direct = found[package]
        below[package] = direct.union(*(below[other] for other in direct))
    return {
        package: {other for other in direct if not any(other in below[third] for third in direct)}
        for package, direct in found.items()
    }


def picture() -> List[str]:
    """The floors as a Mermaid graph, the highest on top."""
    lines = ["```mermaid", "flowchart TB"]
    for title, floor in reversed(FLOORS):
        lines += [f'  subgraph "{title}"', *(f"    {package}" for package in floor), "  end"]
    for package, others in needed(imports()).items():
        lines += [f"  {package} --> {other}" for other in sorted(others)]
    return [*lines, "```"]


def table() -> List[str]:
    """What lives in each package, from its docstring, and its files."""
    lines = ["| floor | package | what lives there | files |", "|---|---|---|---|"]
    for title, floor in reversed(FLOORS):
        for package in floor:
            text = ast.get_docstring(ast.parse((_UTILS / package / "__init__.py").read_text(encoding="utf-8"))) or ""
            files = sorted(path for path in (_UTILS / package).rglob("*.py") if path.name != "__init__.py")
            names = ", ".join(f"`{path.relative_to(_UTILS / package).with_suffix('')}`" for path in files)
            lines.append(f"| {title} | `{package}` | {text.splitlines()[0]} | {names} |")
    return lines


def page() -> str:
    """The page as it should be."""
    before, _, rest = _PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return "\n".join([before + _BEGIN, "", *picture(), "", *table(), "", _END]) + after


if __name__ == "__main__":
    _PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{_PAGE} is written\n")
