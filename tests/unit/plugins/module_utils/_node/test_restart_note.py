# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The note of a restart that is owed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._host.process import read_process
from ansible_collections.plugops.mattermost.plugins.module_utils._node.restart_note import FILE_NAME, RestartNote

OLD, NEW = "boot 100 5000", "boot 200 6000"


@pytest.fixture
def note(tmp_path: Path) -> RestartNote:
    return RestartNote(str(tmp_path / "state" / FILE_NAME))


def test_owed_until_the_process_is_another_one(note: RestartNote) -> None:
    assert note.reasons(OLD) == []
    note.add("plugins changed", OLD)
    note.add("Directory changed", OLD)
    assert note.reasons(OLD) == ["plugins changed", "Directory changed"]
    assert note.reasons(NEW) == [], "a process started after the change has read everything anew"
    assert note.reasons(None) == [], "nothing runs, nothing is owed"


def test_against_processes_of_the_kernel(note: RestartNote) -> None:
    def started() -> subprocess.Popen[bytes]:
        return subprocess.Popen(["cat"], stdin=subprocess.PIPE)

    with started() as first, started() as second:
        processes = [read_process(child.pid) for child in (first, first, second)]
        identities = [process.identity for process in processes if process is not None]
        note.add("x", identities[0])
        assert [note.reasons(identity) for identity in identities] == [["x"], ["x"], []]
        for child in (first, second):
            child.communicate()


def test_same_reason_stands_once_and_old_ones_are_dropped(note: RestartNote, tmp_path: Path) -> None:
    note.add("a", OLD)
    note.add("a", OLD)
    assert note.reasons(OLD) == ["a"]
    note.add("b", NEW)
    assert (note.reasons(OLD), note.reasons(NEW)) == ([], ["b"])
    assert len(json.loads((tmp_path / "state" / FILE_NAME).read_text())) == 1


def test_nothing_is_noted_for_a_stopped_server(note: RestartNote, tmp_path: Path) -> None:
    note.add("a", None)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"\xff", b"{}", b"[1]", b'[{"process": "boot 100 5000"}]', b'[{"reason": "a"}]'),
        *(b'[{"process": %s, "reason": "a"}]' % value for value in (b"1", b"null", b"true", b"NaN")),
    ],
)
def test_a_broken_note_is_no_note_and_is_mended(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(content)
    note = RestartNote(str(path))
    assert note.reasons(OLD) == []
    note.add("b", OLD)
    assert note.reasons(OLD) == ["b"]


def test_a_good_item_beside_a_broken_one_counts(tmp_path: Path) -> None:
    items: Any = [{"process": [], "reason": "x"}, {"process": OLD, "reason": "kept"}, None]
    (tmp_path / FILE_NAME).write_text(json.dumps(items))
    assert RestartNote(str(tmp_path / FILE_NAME)).reasons(OLD) == ["kept"]


def test_a_change_that_cannot_be_noted_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        RestartNote(str(tmp_path / "file" / FILE_NAME)).add("a", OLD)
