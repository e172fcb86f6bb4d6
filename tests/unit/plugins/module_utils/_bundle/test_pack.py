# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle made of an unpacked plugin unpacks to the same files, and the same files give the same bundle."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Dict, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.bundle import unpack_bundle
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.pack import cannot_pack, pack_tree, unreadable
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.tree import MARKER, FileEntry, read_tree
from ansible_collections.plugops.mattermost.plugins.module_utils._host.account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

PLUGIN_ID = "com.example.packed"
ME = Account("me", os.geteuid(), os.getegid(), "", ())
MANIFEST = b'{"id": "com.example.packed", "version": "1.0.0"}'
# Any bytes that a name may hold, and that a bundle may.
PART = st.binary(min_size=1, max_size=120).filter(
    lambda name: not set(name) & set(b"/\0\\") and name not in (b".", b"..")
)
FILES = st.dictionaries(
    st.lists(PART, min_size=1, max_size=3).map(lambda parts: b"f/" + b"/".join(parts)),
    st.tuples(st.binary(max_size=2000), st.booleans()),
    max_size=6,
)


def write(top: bytes, files: Dict[bytes, Tuple[bytes, bool]]) -> None:
    for name, (content, executable) in files.items():
        path = os.path.join(top, name)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as out:
                out.write(content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue  # a file is in the way of a directory
        os.chmod(path, 0o750 if executable else 0o600)


def packed(tree: Path) -> bytes:
    out = io.BytesIO()
    pack_tree(str(tree), PLUGIN_ID, out, ME)
    return out.getvalue()


@settings(max_examples=60)
@given(FILES)
def test_packed_and_unpacked_it_is_the_same(files: Dict[bytes, Tuple[bytes, bool]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        tree, bundle, again = Path(directory, "tree"), Path(directory, "b.tar.gz"), Path(directory, "again")
        tree.mkdir()
        write(os.fsencode(tree), {b"plugin.json": (MANIFEST, False), MARKER.encode(): (b"", False), **files})
        before = read_tree(str(tree))
        assert cannot_pack(before.files, ()) == ""
        bundle.write_bytes(packed(tree))
        unpack_bundle(str(bundle), str(again), uid=os.geteuid(), gid=os.getegid())
        assert read_tree(str(again)).files == before.files
        assert not (again / MARKER).exists()
        assert packed(again) == bundle.read_bytes()


def test_what_no_bundle_can_hold_is_named() -> None:
    plain = FileEntry("0" * 64, 1, False)
    assert cannot_pack({"a": plain, "b": FileEntry("link:/etc", 0, False)}, ()) == "b is no regular file"
    assert "backslash" in cannot_pack({"a\\b": plain}, ())
    assert "not executable" in cannot_pack({"server/x": plain}, ("server/x",))
    assert cannot_pack({"server/x": FileEntry("0" * 64, 1, True)}, ("server/x",)) == ""


def test_empty_directories_come_back(tmp_path: Path) -> None:
    (tmp_path / "tree" / "empty" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "plugin.json").write_bytes(MANIFEST)
    (tmp_path / "b.tar.gz").write_bytes(packed(tmp_path / "tree"))
    unpack_bundle(str(tmp_path / "b.tar.gz"), str(tmp_path / "again"), uid=os.geteuid(), gid=os.getegid())
    assert (tmp_path / "again" / "empty" / "deep").is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, whose files others cannot read")
def test_what_the_account_cannot_read_is_not_packed_for_it(tmp_path: Path) -> None:
    account = Account("tester", 4123, 4124, "4124", (4124,))
    (tmp_path / "plugin.json").write_bytes(MANIFEST)
    (tmp_path / "own").write_bytes(b"x")
    os.chown(tmp_path / "own", 4123, 4124)
    (tmp_path / "own").chmod(0)
    assert unreadable(str(tmp_path), account) == ""
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "secret").chmod(0o600)
    assert unreadable(str(tmp_path), account) == "secret cannot be read by the user tester"
    with pytest.raises(PermissionError, match="not copied for it"):
        pack_tree(str(tmp_path), PLUGIN_ID, io.BytesIO(), account)
