"""The note of a restart that is owed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._pending import FILE_NAME, RestartNote
from ansible_collections.plugops.mattermost.plugins.module_utils._process import read_process


@pytest.fixture
def note(tmp_path: Path) -> RestartNote:
    return RestartNote(str(tmp_path / "state" / FILE_NAME))


def test_owed_until_the_process_is_another_one(note: RestartNote) -> None:
    started = time.time() - 100
    assert note.reasons(started) == []
    note.add("plugins changed", started)
    note.add("Directory changed", started)
    assert note.reasons(started) == ["plugins changed", "Directory changed"]
    assert note.reasons(time.time() + 0.01) == [], "a process started after the change has read everything anew"
    assert note.reasons(None) == [], "nothing runs, nothing is owed"


def test_against_a_process_of_the_kernel(note: RestartNote) -> None:
    process = read_process(os.getpid())
    assert process is not None
    note.add("x", process.started_at)
    assert note.reasons(process.started_at) == ["x"]


def test_same_reason_stands_once_and_old_ones_are_dropped(note: RestartNote, tmp_path: Path) -> None:
    started = time.time() - 100
    note.add("a", started)
    note.add("a", started)
    assert note.reasons(started) == ["a"]
    restarted = time.time()
    note.add("b", restarted)
    assert note.reasons(started) == ["b"]
    assert len(json.loads((tmp_path / "state" / FILE_NAME).read_text())) == 1


def test_nothing_is_noted_for_a_stopped_server(note: RestartNote, tmp_path: Path) -> None:
    note.add("a", None)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"\xff", b"{}", b"[1]", b'[{"at": 1}]', b'[{"reason": "a"}]'),
        *(b'[{"at": %s, "reason": "a"}]' % value for value in (b'"soon"', b"null", b"true", b"NaN")),
    ],
)
def test_a_broken_note_is_no_note_and_is_mended(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(content)
    note = RestartNote(str(path))
    assert note.reasons(100.0) == []
    note.add("b", 100.0)
    assert note.reasons(100.0) == ["b"]


def test_a_good_item_beside_a_broken_one_counts(tmp_path: Path) -> None:
    items: Any = [{"at": [], "reason": "x"}, {"at": 200, "reason": "kept"}, None]
    (tmp_path / FILE_NAME).write_text(json.dumps(items))
    assert RestartNote(str(tmp_path / FILE_NAME)).reasons(100.0) == ["kept"]


def test_a_change_that_cannot_be_noted_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        RestartNote(str(tmp_path / "file" / FILE_NAME)).add("a", 1.0)
