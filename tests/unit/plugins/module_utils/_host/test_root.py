# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths below a root, against the kernel: a child process that was really chrooted there."""

from __future__ import annotations

import errno
import json
import os
import traceback
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._host.root import Root
from hypothesis import given, settings
from hypothesis import strategies as st

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for chroot(2)")

NAMES = ("a", "b", "c")
PARTS = st.sampled_from([*NAMES, *NAMES, "..", ".", ""])
PATHS = st.builds(lambda slash, parts: slash + "/".join(parts), st.sampled_from(["", "/"]), st.lists(PARTS, max_size=5))
ABSOLUTE = st.builds(lambda parts: "/" + "/".join(parts), st.lists(PARTS, max_size=6))
# path -> "" for a directory, else the target of a link; made in this order where the parent is a directory
TREES = st.lists(
    st.tuples(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), st.just("") | PATHS.filter(bool)), max_size=7
)


def _in_chroot(prefix: str, task: Callable[[], Any]) -> Any:
    """What ``task`` returns in a child process whose ``/`` is ``prefix``."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chroot(prefix)
            os.chdir("/")
            os.write(writer, json.dumps(task()).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as source:
        answer = source.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, "the child in the chroot failed"
    return json.loads(answer)


def _build(prefix: Path, tree: List[Tuple[List[str], str]]) -> None:
    (prefix / "a" / "b").mkdir(parents=True)
    for parts, target in tree:
        path = prefix.joinpath(*parts)
        parent_is_real = all(
            not parent.is_symlink() and parent.is_dir() for parent in [path.parent, *path.parent.parents]
        )
        if os.path.lexists(path) or not parent_is_real:
            continue
        path.mkdir() if target == "" else path.symlink_to(target)


def _identity(path: str) -> List[int]:
    try:
        found = os.lstat(path)
    except OSError as error:
        return [-(error.errno or 0)]
    return [found.st_dev, found.st_ino]


def _unslashed(path: str) -> str:
    """Without the ``/`` and ``/.`` at its end that would make the kernel follow a link."""
    while path.endswith(("/", "/.")):
        path = path[: path.rindex("/")]
    return path or "/"


@needs_root
@settings(max_examples=60)
@given(tree=TREES, paths=st.lists(ABSOLUTE, min_size=1, max_size=12))
def test_as_the_kernel_sees_it_from_inside(
    tmp_path_factory: pytest.TempPathFactory, tree: List[Tuple[List[str], str]], paths: List[str]
) -> None:
    prefix = tmp_path_factory.mktemp("root")
    _build(prefix, tree)
    root = Root(str(prefix))

    def ask() -> List[Any]:
        answers = []
        for path in paths:
            try:
                os.stat(path)
                loops = False
            except OSError as error:
                loops = error.errno == errno.ELOOP
            answers.append([os.path.realpath(path), _identity(_unslashed(path)), loops, os.path.exists(path)])
        return answers

    for path, (resolved, identity, loops, exists) in zip(paths, _in_chroot(str(prefix), ask)):
        if loops:
            with pytest.raises(OperatorError, match="Too many levels"):
                root.resolve(path)
            continue
        try:
            ours = root.resolve(path)
        except OperatorError:
            assert not exists, f"{path} exists in there"  # a loop behind a part that is missing
            continue
        assert ours == resolved, path
        real = root.real(path)
        assert real == str(prefix) or real.startswith(f"{prefix}/"), f"{path} leads out to {real}"
        if exists:
            assert _identity(real) == identity, path
            assert _identity(root.real(root.resolve(path))) == _identity(str(prefix) + resolved.rstrip("/"))
            assert root.real(root.host(real)) == real


@needs_root
@pytest.mark.parametrize("count", [40, 41])
def test_as_many_links_as_the_kernel_follows(tmp_path: Path, count: int) -> None:
    (tmp_path / "0").write_text("here")
    for number in range(count):
        (tmp_path / str(number + 1)).symlink_to(str(number))
    inside = _in_chroot(str(tmp_path), lambda: os.path.exists(f"/{count}"))
    root = Root(str(tmp_path))
    if inside:
        assert root.resolve(f"/{count}") == "/0"
    else:
        with pytest.raises(OperatorError, match="Too many levels of symbolic links"):
            root.resolve(f"/{count}")
    assert inside == (count == 40)


CASES: Dict[str, str] = {
    "/link": "/link",  # the last part is not followed
    "/link/": "/link",
    "/link/inner": "/dir/sub/inner",
    "/dir/absolute/inner": "/dir/sub/inner",
    "/link/../inner": "/dir/inner",  # the parent of where the link leads
    "/link/..": "/dir",
    "/up/etc/passwd": "/etc/passwd",  # cannot leave
    "/../../etc": "/etc",
    "//etc": "/etc",
    "/missing/x/../y": "/missing/y",
    "/": "/",
}


@pytest.mark.parametrize(("path", "place"), CASES.items())
def test_named_cases(tmp_path: Path, path: str, place: str) -> None:
    (tmp_path / "dir" / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to("/dir/sub")
    (tmp_path / "dir" / "absolute").symlink_to("/dir/sub")
    (tmp_path / "up").symlink_to("../../../..")
    expected = str(tmp_path) + (place if place != "/" else "")
    assert Root(str(tmp_path)).real(path) == expected


def test_live_system_is_left_to_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    for root in (Root(), Root("/"), Root(""), Root("/usr/..")):
        assert root.is_live
        assert root.real(f"{tmp_path}/link") == f"{tmp_path}/link"
        assert root.host(f"{tmp_path}/link") == f"{tmp_path}/link"
        assert root.resolve(f"{tmp_path}/link") == os.path.realpath(tmp_path / "missing")
    assert not Root(str(tmp_path)).is_live


def test_prefix_may_be_a_link_itself(tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    (tmp_path / "current").symlink_to("image")
    root = Root(str(tmp_path / "current"))
    assert root.real("/etc") == str(tmp_path / "image" / "etc")
    assert root.host(str(tmp_path / "image")) == "/"


@pytest.mark.parametrize("outside", ["/etc/passwd", "/", "../x"])
def test_names_only_what_lies_inside(tmp_path: Path, outside: str) -> None:
    root = Root(str(tmp_path))
    assert root.host(root.real("/etc/x")) == "/etc/x"
    for path in (outside, f"{tmp_path}-other/x"):
        with pytest.raises(OperatorError, match="outside the root"):
            root.host(path)
