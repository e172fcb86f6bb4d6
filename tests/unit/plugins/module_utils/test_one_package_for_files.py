# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a node are touched in one package: whoever opens one elsewhere may be led anywhere as root."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

import pytest

from plugops_tests.support.playbooks import REPOSITORY

HOST = REPOSITORY / "plugins" / "module_utils" / "_host"
TOUCHING = ("descriptors", "directories", "locks", "paths", "reading", "sockets", "trees", "worker", "writing")
TOUCH_FILES = {HOST / f"{name}.py" for name in TOUCHING}
CODE = sorted(
    path
    for place in ("module_utils", "modules")
    for path in (REPOSITORY / "plugins" / place).rglob("*.py")
    if path not in TOUCH_FILES
)
# Calls of os that take a path, and follow what is on the way.
BY_PATH = {
    *("access", "chdir", "chmod", "chown", "getxattr", "lchown", "link", "listdir", "listxattr", "lstat", "makedirs"),
    *("mkdir", "mkfifo", "mknod", "open", "pathconf", "readlink", "remove", "removedirs", "removexattr", "rename"),
    *(
        "renames",
        "replace",
        "rmdir",
        "scandir",
        "setxattr",
        "stat",
        "statvfs",
        "symlink",
        "truncate",
        "unlink",
        "utime",
    ),
    "walk",
}
OS_PATH = {"exists", "getatime", "getmtime", "getsize", "isdir", "isfile", "islink", "ismount", "lexists", "realpath"}
MODULES = {"shutil": {"which"}, "glob": {"has_magic", "escape"}, "tempfile": set()}  # with what is allowed of them
# Why a file may use such a call all the same.
ALLOWED = {
    ("process.py", "os.readlink"): "/proc/<pid>/cwd: of the kernel, nobody else can make a link there",
    ("content.py", "os.chown"): "/proc/self/fd/<descriptor>: names exactly what was opened",
    ("content.py", "os.chmod"): "/proc/self/fd/<descriptor>: names exactly what was opened",
}


def calls_by_path(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and _takes_a_path(node):
            yield ast.unparse(node.func)


def _takes_a_path(node: ast.Call) -> bool:
    called = ast.unparse(node.func)
    module, _, name = called.rpartition(".")
    words = {word.arg for word in node.keywords}
    if module == "os":
        of_descriptor = bool(node.args) and ast.unparse(node.args[0]) in ("handle", "directory", "top")
        return name in BY_PATH and not of_descriptor and not words & {"dir_fd", "src_dir_fd"}
    if called in ("tarfile.open", "zipfile.ZipFile", "gzip.open"):
        return "fileobj" not in words
    return called == "open" or (module == "os.path" and name in OS_PATH) or name not in MODULES.get(module, {name})


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_no_file_is_touched_by_path_elsewhere(path: Path) -> None:
    assert [call for call in calls_by_path(path) if (path.name, call) not in ALLOWED] == []


def test_what_is_looked_for_is_found(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import os, shutil\nopen('x')\nos.stat('x')\nos.path.isdir('x')\nshutil.rmtree('x')\n")
    assert sorted(calls_by_path(bad)) == ["open", "os.path.isdir", "os.stat", "shutil.rmtree"]
    bad.write_text("import os\nos.stat('x', dir_fd=3)\nos.fstat(3)\nos.scandir(handle)\n")
    assert list(calls_by_path(bad)) == []


def test_every_exception_is_needed() -> None:
    used = {(path.name, call) for path in CODE for call in calls_by_path(path)}
    assert set(ALLOWED) <= used
