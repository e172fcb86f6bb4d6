# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages of module_utils lie on floors: imports go down only, and no two files need each other.

An import counts wherever it stands, also in a function or under TYPE_CHECKING: Ansible packs it into the module too.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Set

import pytest

from plugops_tests.support.playbooks import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "docs"))
import make_architecture

PLUGINS = REPOSITORY / "plugins"
ORDER = make_architecture.packages()
FULL_NAME = "ansible_collections.plugops.mattermost."
MOST_LINES = 400
# Why a file may be longer all the same.
LONG = {"module_utils/_audit/codes.py": "a table: every finding code with its texts"}
# What only a node needs; action plugins and filters take from there nothing but these words, which both sides use.
OF_NODES = {"_change", "_directories", "_install", "_log", "_node", "_report", "_settings", "_startup"}
BOTH_SIDES = {
    "module_utils/_change/run_lock.py": "who holds the lock: the controller gives the name, the node writes it",
    "module_utils/_directories/directories.py": "the options of directories and their defaults, on Windows too",
    "module_utils/_node/source_options.py": "the arguments that name the sources of bundles",
}
ON_CONTROLLER = ("action", "callback", "filter", "lookup", "plugin_utils")


def imported(path: Path, root: Path = PLUGINS) -> Iterator[Path]:
    """Files below root that a file imports. Names that are not files are what a file defines: its own path counts."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        if isinstance(node, ast.Import):
            places = [root.joinpath(*_parts(name)[1:]) for name in names if _parts(name)]
        elif isinstance(node, ast.ImportFrom):
            base = _base(path, node, root)
            places = [place for name in names for place in (base / name, base)] if base else []
        else:
            continue
        yield from {place.with_suffix(".py") for place in places if place.with_suffix(".py").is_file()}


def _parts(name: str) -> List[str]:
    return name[len(FULL_NAME) :].split(".") if name.startswith(FULL_NAME + "plugins.") else []


def _base(path: Path, node: ast.ImportFrom, root: Path) -> Path | None:
    module = (node.module or "").split(".") if node.module else []
    if node.level:
        return path.parents[node.level - 1].joinpath(*module)
    parts = _parts(node.module or "")
    return root.joinpath(*parts[1:]) if parts else None


def files(*places: str) -> List[Path]:
    return sorted(path for place in places for path in (PLUGINS / place).rglob("*.py"))


def package(path: Path, root: Path = PLUGINS) -> str:
    """The package of module_utils in which a file is; nothing if it is not in one."""
    parts = path.relative_to(root).parts
    return parts[1] if parts[0] == "module_utils" and len(parts) > 2 else ""


def upward(paths: List[Path], root: Path = PLUGINS) -> List[str]:
    """Imports from a higher floor."""
    return [
        f"{path.relative_to(root)} imports {other.relative_to(root)}"
        for path in paths
        for other in imported(path, root)
        if ORDER.index(package(other, root)) > ORDER.index(package(path, root))
    ]


def circles(paths: List[Path], root: Path = PLUGINS) -> List[str]:
    """Files that need one another: what is left when files that need no other of the rest are taken away, both ways."""
    needs: Dict[Path, Set[Path]] = {path: set(imported(path, root)) & set(paths) - {path} for path in paths}
    while True:
        needed = set().union(*needs.values()) if needs else set()
        rest = {path: others & set(needs) for path, others in needs.items() if others and path in needed}
        if rest == needs:
            return sorted(str(path.relative_to(root)) for path in rest)
        needs = {path: others & set(rest) for path, others in rest.items()}


def test_every_package_has_a_floor() -> None:
    found = {path.name for path in (PLUGINS / "module_utils").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert found == set(ORDER)


def test_no_file_lies_outside_the_packages() -> None:
    assert [path.name for place in ("module_utils", "plugin_utils") for path in (PLUGINS / place).glob("*.py")] == []


@pytest.mark.parametrize("name", ORDER)
def test_imports_go_down(name: str) -> None:
    assert upward(files(f"module_utils/{name}")) == []


def test_no_two_files_need_each_other() -> None:
    assert circles(files("module_utils", "plugin_utils")) == []


def test_a_package_is_a_docstring() -> None:
    """Imports there would pull the whole package into every module that needs one file of it."""
    for path in files("module_utils", "plugin_utils"):
        if path.name == "__init__.py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert ast.get_docstring(tree), path
            assert len(tree.body) == 1, f"{path}: more than a docstring"


def test_every_directory_of_code_is_a_package() -> None:
    assert [
        path.parent for path in files("module_utils", "plugin_utils") if not (path.parent / "__init__.py").is_file()
    ] == []


def test_the_controller_does_without_what_only_a_node_needs() -> None:
    used = {other for path in files(*ON_CONTROLLER) for other in imported(path) if package(other) in OF_NODES}
    assert {str(other.relative_to(PLUGINS)) for other in used} == set(BOTH_SIDES)


def test_modules_import_nothing_of_the_controller() -> None:
    found = {
        other.relative_to(PLUGINS).parts[0] for path in files("modules", "module_utils") for other in imported(path)
    }
    assert found == {"module_utils"}


def test_no_file_is_long() -> None:
    lengths = {str(path.relative_to(PLUGINS)): len(path.read_text().splitlines()) for path in files(".")}
    assert {name for name, lines in lengths.items() if lines > MOST_LINES} == set(LONG)


@pytest.mark.parametrize(
    "line",
    [
        "from .._audit.audit import audit",
        "from .._audit import audit",
        "def late():\n    from .._audit.audit import audit",
        "if TYPE_CHECKING:\n    from .._audit import audit",
        "from ansible_collections.plugops.mattermost.plugins.module_utils._audit.audit import audit",
        "import ansible_collections.plugops.mattermost.plugins.module_utils._audit.audit",
    ],
)
def test_an_import_upward_is_seen_however_it_is_written(line: str, tmp_path: Path) -> None:
    for name in ("_audit/audit", "_core/errors"):
        (tmp_path / "module_utils" / name).parent.mkdir(parents=True)
        (tmp_path / "module_utils" / f"{name}.py").write_text(line if "errors" in name else "import os\n")
    low, high = (tmp_path / "module_utils" / name for name in ("_core/errors.py", "_audit/audit.py"))
    assert upward([low], tmp_path) == ["module_utils/_core/errors.py imports module_utils/_audit/audit.py"]
    assert upward([high], tmp_path) == []


def test_a_circle_is_seen(tmp_path: Path) -> None:
    place = tmp_path / "module_utils" / "_core"
    place.mkdir(parents=True)
    for name, others in {"one": ["two"], "two": ["three"], "three": ["one"], "above": ["one"], "below": []}.items():
        (place / f"{name}.py").write_text("".join(f"from .{other} import x\n" for other in others))
    (place / "three.py").write_text("from . import one, below\n")
    assert [Path(name).stem for name in circles(list(place.iterdir()), tmp_path)] == ["one", "three", "two"]
    (place / "three.py").write_text("from . import below\n")
    assert circles(list(place.iterdir()), tmp_path) == []
