# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths of Windows: what is the same directory, what is none."""

from __future__ import annotations

import ntpath

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows import winpath
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.text(
    st.characters(blacklist_characters='\\/<>:"|?*%.', blacklist_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1
)
PATHS = st.lists(NAMES, max_size=4).map(lambda names: "C:\\" + "\\".join(names))


@pytest.mark.parametrize(
    "spelling",
    [
        r"C:\mattermost",
        "c:\\MatterMost\\",
        "c:/mattermost",
        "C:/mattermost//",
        r'"C:\mattermost"',
        r"C:\\mattermost",
        r"C:\.\mattermost",
        r"C:\mattermost\bin\..",
        r"C:\..\mattermost",
        r"C:\mattermost.",
        "C:\\mattermost ",
        r"\\?\C:\mattermost",
    ],
)
def test_spellings_of_one_directory(spelling: str) -> None:
    assert winpath.same(spelling, r"C:\mattermost")
    assert winpath.tidy(spelling).lower() == r"c:\mattermost"


@pytest.mark.parametrize(
    "other", [r"C:\mattermost\bin", r"D:\mattermost", r"C:\matter most", r"\\C\mattermost", "C:\\"]
)
def test_other_directories(other: str) -> None:
    assert not winpath.same(other, r"C:\mattermost")


def test_shares() -> None:
    assert winpath.same(r"\\Server\Share\chat", "//server/share/chat/")
    assert winpath.same(r"\\?\UNC\server\share\chat", r"\\server\share\chat")
    assert winpath.tidy(r"\\server\share\..\x") == r"\\server\share\x"
    assert winpath.is_on_network(r"\\?\UNC\server\share")
    assert not winpath.is_on_network(r"\\?\C:\x")


def test_letters_that_only_look_alike_are_not_the_same() -> None:
    assert winpath.same("C:\\Ärger", "c:\\äRGER")
    assert not winpath.same("C:\\Straße", "C:\\STRASSE")  # to NTFS one letter is one letter


@given(PATHS)
def test_tidy_is_at_rest_and_agrees_with_ntpath(path: str) -> None:
    once = winpath.tidy(path)
    assert winpath.tidy(once) == once
    assert winpath.same(path, path.replace("\\", "/") + "/")
    assert once == ntpath.normpath(path)


@given(PATHS)
def test_case_makes_no_difference_where_letters_map_one_to_one(path: str) -> None:
    if len(path.upper()) == len(path) and path.upper().lower().upper() == path.upper():
        assert winpath.same(path, path.upper())


def test_variables() -> None:
    values = {"OS": "Windows_NT", "programfiles": r"C:\Program Files"}
    known = {name.lower(): value for name, value in values.items()}
    replace = lambda path: winpath.expanded(path, lambda name: known.get(name.lower()))  # noqa: E731
    assert replace(r"%ProgramFiles%\x") == r"C:\Program Files\x"
    assert replace(r"C:\100% a%OS%") == r"C:\100% aWindows_NT"
    assert replace(r"C:\%NOPE%\50%") == r"C:\%NOPE%\50%"
    assert winpath.variables_in(r"%A%\%B%") == ["A", "B"]


@pytest.mark.parametrize(
    "path", ["mattermost", r"\mattermost", "c:mattermost", "", r"C:\a|b", "C:\\a\nb", r"C:\a:b", r"C:\*", "/opt/x"]
)
def test_what_is_no_absolute_path(path: str) -> None:
    with pytest.raises(OperatorError, match="is not the path of a directory on Windows"):
        winpath.check_wanted(path, "path")


@pytest.mark.parametrize("path", ["C:\\", r"D:\x", r"\\server\share", r"%ProgramFiles%\x", r"\\?\C:\x"])
def test_absolute_paths(path: str) -> None:
    assert winpath.check_wanted(path, "path")


@pytest.mark.parametrize(
    ("image", "program"),
    [
        (r"C:\nssm\nssm.exe", r"C:\nssm\nssm.exe"),
        (r'"C:\Program Files\nssm.exe" run', r"C:\Program Files\nssm.exe"),
        (r"C:\Program Files\nssm\win64\NSSM.EXE", r"C:\Program Files\nssm\win64\NSSM.EXE"),
        (r"C:\Program Files\nssm.exe -x", r"C:\Program Files\nssm.exe"),
        (r"system32\svchost -k x", r"system32\svchost"),
    ],
)
def test_the_program_of_a_service(image: str, program: str) -> None:
    assert winpath.executable_of(image) == program


def test_join() -> None:
    assert winpath.join(r"C:\mattermost", "./plugins") == r"C:\mattermost\plugins"
    assert winpath.join(r"C:\mattermost", r"D:\plugins\\") == r"D:\plugins"
