# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles: what is in them, what is refused, and what unpacking leaves."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle import bundle as bundle_module
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.bundle import (
    Limits,
    read_bundle,
    unpack_bundle,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.tree import (
    FileEntry,
    describe_changes,
    read_tree,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from hypothesis import given, settings
from hypothesis import strategies as st

from plugops_tests.support.bundles import LAYOUTS, SERVER_EXECUTABLE, SERVER_SCRIPT, make_bundle

ME = {"uid": os.geteuid(), "gid": os.getegid()}
MANIFEST = b'{"id": "com.example.demo", "version": "1.0.0"}'
LIMITS = Limits()
SERVICE = 65534  # an account that owns nothing here
Files = Dict[str, Tuple[bytes, int]]


def pack(path: Path, files: Files, tar_format: int = tarfile.PAX_FORMAT) -> Path:
    """A bundle of exactly these members; a name that ends in a slash is a directory."""
    with tarfile.open(path, "w:gz", format=tar_format, errors="surrogateescape") as archive:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            if name.endswith("/"):
                entry.type, entry.size = tarfile.DIRTYPE, 0
            archive.addfile(entry, io.BytesIO(content))
    return path


def plain(*names: str) -> Files:
    """Members with a manifest's content where the name is one's."""
    return {name: (MANIFEST if "plugin." in name else b"x", 0o644) for name in names}


def entry_of(content: bytes, executable: bool = False) -> FileEntry:
    return FileEntry(hashlib.sha256(content).hexdigest(), len(content), executable)


def refusal(path: Path, limits: Limits = LIMITS) -> str:
    """What both readers say; and that nothing was written."""
    before = sorted(os.listdir(path.parent))
    with pytest.raises(OperatorError) as error:
        read_bundle(str(path), limits)
    with pytest.raises(OperatorError) as again:
        unpack_bundle(str(path), str(path.parent / "unpacked"), **ME, limits=limits)
    assert str(again.value) == str(error.value)
    assert str(path) in str(error.value)
    assert sorted(os.listdir(path.parent)) == before
    return str(error.value)


# --- what is read


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("manifest_name", ["plugin.yml", "plugin.yaml", "plugin.json"])
def test_reads_every_layout(tmp_path: Path, layout: str, manifest_name: str) -> None:
    path = tmp_path / "b.tar.gz"
    make_bundle(path, "my.plugin", "1.2.3", server=True, layout=layout, manifest_name=manifest_name)
    found = read_bundle(str(path))
    assert (found.manifest.id, found.manifest.version) == ("my.plugin", "1.2.3")
    assert found.manifest.file_name == manifest_name
    assert set(found.files) == {manifest_name, "webapp/my.plugin_bundle.js", SERVER_EXECUTABLE}
    assert found.files[SERVER_EXECUTABLE] == entry_of(SERVER_SCRIPT, executable=True)
    assert found.unexecutable == ()
    assert (found.sha256, found.size) == (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
    assert os.listdir(tmp_path) == ["b.tar.gz"], "reading writes nothing"


def test_the_tree_does_not_depend_on_the_packing(tmp_path: Path) -> None:
    trees = {
        read_bundle(str(make_bundle(tmp_path / f"{layout}.tar.gz", "p.q", "1.0.0", server=True, layout=layout))).tree
        for layout in LAYOUTS
    }
    assert len(trees) == 1
    other = make_bundle(tmp_path / "other.tar.gz", "p.q", "1.0.0", server=True, files={"README": b"same version"})
    assert read_bundle(str(other)).tree not in trees


def test_manifests_in_the_servers_order(tmp_path: Path) -> None:
    ids = {"plugin.json": b'{"id": "from.json"}', "plugin.yaml": b"id: from.yaml", "plugin.yml": b"id: from.yml"}
    for prefix in ("", "top/"):
        files: Files = {}
        for name, content in ids.items():
            files = {prefix + name: (content, 0o644), **files, prefix + "sub/plugin.yml": (b"id: nested", 0o644)}
            found = read_bundle(str(pack(tmp_path / "b.tar.gz", files))).manifest
            assert (found.id, found.file_name) == (f"from{name[6:]}", name)


def test_the_first_manifest_counts_even_if_it_cannot_be_read(tmp_path: Path) -> None:
    files = {"top/plugin.json": (MANIFEST, 0o644), "top/plugin.yaml": (b"{", 0o644)}
    message = refusal(pack(tmp_path / "b.tar.gz", files))
    assert "top/plugin.yaml" in message
    assert "YAML" in message


def test_exec_bits_are_kept_and_granted(tmp_path: Path) -> None:
    binaries = {"linux-amd64": "server/linux", "windows-amd64": "./server/windows.exe", "x": "gone"}
    manifest = {"id": "demo", "server": {"executables": binaries}, "backend": {"executable": "server/old"}}
    files = {
        "plugin.json": (json.dumps(manifest).encode(), 0o755),
        "server/linux": (b"1", 0o644),
        "server/windows.exe": (b"2", 0o644),
        "server/old": (b"3", 0o744),
        "server/helper": (b"4", 0o700),
        "server/data": (b"5", 0o655),
    }
    path = pack(tmp_path / "b.tar.gz", files)
    found = read_bundle(str(path))
    assert {name for name, entry in found.files.items() if not entry.executable} == {"server/data"}
    assert found.unexecutable == ("server/linux", "server/windows.exe")
    unpack_bundle(str(path), str(tmp_path / "out"), **ME)
    assert read_tree(str(tmp_path / "out")).files == found.files


def test_the_servers_marker_is_left_out(tmp_path: Path) -> None:
    path = make_bundle(tmp_path, "demo", "1.0.0", files={".filestore": b"", "assets/.filestore": b""})
    found = read_bundle(str(path))
    assert ".filestore" not in found.files
    assert "assets/.filestore" in found.files
    unpack_bundle(str(path), str(tmp_path / "out"), **ME)
    assert not (tmp_path / "out/.filestore").exists()
    assert read_tree(str(tmp_path / "out")).digest == found.tree


# --- what is refused


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["README"], "found: README"),
        ([], "an empty archive"),
        (["a/README"], "found: a"),
        (["a/b/plugin.json"], "found: a"),
        (["a/plugin.json", "README"], "without README"),
        (["README", "a/plugin.json"], "without README"),
        (["./._a", "./a/plugin.json"], "COPYFILE_DISABLE"),
        (["a/plugin.json", "b/x"], "pack the bundle again without b"),
        (["a/plugin.json", "empty/"], "without empty"),
        (["a/x", *(f"f{number}" for number in range(9))], "a, f0, f1, f2, f3, and 5 more"),
        (["a\x1b/x"], "found: a\\x1b"),
    ],
)
def test_no_manifest_where_servers_look(tmp_path: Path, names: List[str], told: str) -> None:
    message = refusal(pack(tmp_path / "b.tar.gz", plain(*names)))
    assert "no manifest" in message
    assert told in message
    assert "plugin.yml or plugin.yaml or plugin.json" in message


def test_the_only_directory_may_be_named_last(tmp_path: Path) -> None:
    path = pack(tmp_path / "b.tar.gz", plain("a/plugin.json", "a/"))
    assert set(read_bundle(str(path)).files) == {"plugin.json"}


def test_a_manifest_at_the_root_stands_beside_anything(tmp_path: Path) -> None:
    path = pack(tmp_path / "b.tar.gz", plain("._x", "a/plugin.json", "plugin.json", "b/", "README"))
    assert set(read_bundle(str(path)).files) == {"._x", "a/plugin.json", "plugin.json", "README"}


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/../../x", "a\\x", "n" * 256], ids=["up", "absolute", "inner up", "backslash", "long"]
)
def test_hostile_names(tmp_path: Path, name: str) -> None:
    refusal(pack(tmp_path / "b.tar.gz", {"plugin.json": (MANIFEST, 0o644), name: (b"x", 0o644)}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as archive:
        manifest = tarfile.TarInfo("plugin.json")
        manifest.size = len(MANIFEST)
        archive.addfile(manifest, io.BytesIO(MANIFEST))
        entry = tarfile.TarInfo("odd")
        entry.type, entry.linkname = kind, "plugin.json"
        archive.addfile(entry)
    assert "odd" in refusal(tmp_path / "b.tar.gz")


def test_no_bundle_at_all(tmp_path: Path) -> None:
    (tmp_path / "page.tar.gz").write_bytes(b"<html>404</html>")
    assert "HTML" in refusal(tmp_path / "page.tar.gz")
    (tmp_path / "text.tar.gz").write_bytes(gzip.compress(b"text " * 200))
    assert "no tar archive" in refusal(tmp_path / "text.tar.gz")
    assert "No such file" in refusal(tmp_path / "none.tar.gz")
    (tmp_path / "directory.tar.gz").mkdir()
    assert "no regular file" in refusal(tmp_path / "directory.tar.gz")
    os.mkfifo(tmp_path / "fifo.tar.gz")
    assert "no regular file" in refusal(tmp_path / "fifo.tar.gz")


def test_too_large_sizes(tmp_path: Path) -> None:
    path = make_bundle(tmp_path, "demo", "1.0.0", file_count=5)
    assert "too many files" in refusal(path, Limits(files=5))
    assert "too large a size" in refusal(path, Limits(unpacked_bytes=4000))
    assert "too large a size" in refusal(path, Limits(ratio=2, ratio_from=2000))
    assert "manifest is too large" in refusal(path, Limits(manifest_bytes=20))
    bomb = pack(tmp_path / "bomb.tar.gz", {"plugin.json": (MANIFEST, 0o644), "zeros": (bytes(80 * 1024**2), 0o644)})
    assert "too large a size" in refusal(bomb)


# --- properties

MANIFEST_OR_MARKER = (".filestore", "plugin.json", "plugin.yml", "plugin.yaml")
part = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=8),
    st.sampled_from(["caf\udce9", "\udc80", "n" * 120, "a\nb", "-x"]),
).filter(lambda name: name not in (".", "..", *MANIFEST_OR_MARKER))
contents = st.tuples(st.one_of(st.binary(max_size=30), st.just(b"z" * 3000)), st.sampled_from([0o644, 0o755, 0o600]))


def without_conflicts(files: Files) -> Files:
    """Keep no file that would have to be a directory, too."""
    return {path: file for path, file in files.items() if not any(other.startswith(path + "/") for other in files)}


file_maps = st.dictionaries(st.lists(part, min_size=1, max_size=3).map("/".join), contents, max_size=6)


@settings(max_examples=40)
@given(
    file_maps.map(without_conflicts),
    st.sampled_from(["", "./", "top/", "./top/"]),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_a_bundle_reads_back_as_what_was_packed(
    tmp_path_factory: pytest.TempPathFactory, files: Files, prefix: str, tar_format: int
) -> None:
    files = {**files, "plugin.json": (MANIFEST, 0o644)}
    directory = tmp_path_factory.mktemp("b")
    path = pack(directory / "b.tar.gz", {prefix + name: file for name, file in files.items()}, tar_format)
    found = read_bundle(str(path))
    assert found.files == {name: entry_of(content, bool(mode & 0o100)) for name, (content, mode) in files.items()}
    unpack_bundle(str(path), str(directory / "out"), **ME)
    tree = read_tree(str(directory / "out"))
    assert describe_changes(tree.files, found.files) == ""
    assert tree.digest == found.tree
    for name, (content, _mode) in files.items():
        assert (directory / "out" / name).read_bytes() == content


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Tuple[Path, bytes]:
    directory = tmp_path_factory.mktemp("corrupt")
    return directory, make_bundle(directory, "demo", "1.0.0", server=True, file_count=3).read_bytes()


@settings(max_examples=150)
@given(st.integers(0, 100_000), st.integers(0, 255))
def test_corruption_raises_only_operator_errors(packed: Tuple[Path, bytes], at: int, byte: int) -> None:
    directory, data = packed
    at %= len(data)
    path = directory / "corrupt.tar.gz"
    path.write_bytes(data[:at] + bytes([byte]) + data[at + 1 :])
    try:
        found = read_bundle(str(path))
    except OperatorError:
        return
    path.write_bytes(data)
    assert found.files == read_bundle(str(path)).files, "what passes the checksum is what was packed"


def test_every_truncation_is_refused(packed: Tuple[Path, bytes]) -> None:
    directory, data = packed
    path = directory / "short.tar.gz"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(OperatorError):
            read_bundle(str(path))


# --- unpacking


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    old = os.umask(request.param)
    try:
        yield request.param
    finally:
        os.umask(old)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away")
@pytest.mark.parametrize("dir_mode", [0o755, 0o750], ids=oct)
def test_owner_and_modes_whatever_the_umask(tmp_path: Path, umask: int, dir_mode: int) -> None:
    tmp_path.chmod(0o2775)  # whose group new entries would inherit
    path = make_bundle(tmp_path / "b.tar.gz", "demo", "1.0.0", server=True, executable_mode=0o4755, file_count=2)
    unpack_bundle(str(path), str(tmp_path / "out"), uid=SERVICE, gid=SERVICE + 1, dir_mode=dir_mode)
    for found in [tmp_path / "out", *(tmp_path / "out").rglob("*")]:
        status = found.lstat()
        wanted = dir_mode if found.is_dir() else 0o755 if found.name == os.path.basename(SERVER_EXECUTABLE) else 0o644
        assert (oct(stat.S_IMODE(status.st_mode)), status.st_uid, status.st_gid) == (oct(wanted), SERVICE, SERVICE + 1)


def test_closed_to_others_until_all_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_bundle(tmp_path / "b.tar.gz", "demo", "1.0.0")
    modes = []
    real_fsync = os.fsync

    def look(handle: int) -> None:
        modes.append(stat.S_IMODE((tmp_path / "out").stat().st_mode))
        real_fsync(handle)

    monkeypatch.setattr(bundle_module.os, "fsync", look)
    unpack_bundle(str(path), str(tmp_path / "out"), **ME)
    assert len(modes) == 5, "its name, two files, two directories"
    assert set(modes[:-1]) == {0o700}
    assert modes[-1] == 0o755


def test_directories_of_the_archive_are_made_even_if_empty(tmp_path: Path) -> None:
    path = pack(tmp_path / "b.tar.gz", plain("t/plugin.json", "t/empty/", "t/a/b/c"))
    unpack_bundle(str(path), str(tmp_path / "out"), **ME)
    found = {str(item.relative_to(tmp_path / "out")) for item in (tmp_path / "out").rglob("*")}
    assert found == {"plugin.json", "empty", "a", "a/b", "a/b/c"}


@pytest.mark.parametrize("in_the_way", ["directory", "file", "dangling link"])
def test_the_destination_must_be_new(tmp_path: Path, in_the_way: str) -> None:
    path = make_bundle(tmp_path / "b.tar.gz", "demo", "1.0.0")
    out = tmp_path / "out"
    if in_the_way == "directory":
        out.mkdir()
        (out / "kept").write_bytes(b"k")
    elif in_the_way == "file":
        out.write_bytes(b"k")
    else:
        out.symlink_to("nowhere")
    before = (out.lstat().st_ino, sorted(tmp_path.rglob("*")))
    with pytest.raises(OperatorError, match="File exists") as error:
        unpack_bundle(str(path), str(out), **ME)
    assert str(out) in str(error.value)
    assert (out.lstat().st_ino, sorted(tmp_path.rglob("*"))) == before


@pytest.mark.parametrize("call", ["write", "fchown", "fsync"])
def test_nothing_is_left_where_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = make_bundle(tmp_path / "b.tar.gz", "demo", "1.0.0")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if call == "write":
        monkeypatch.setattr(bundle_module._Writer, "_write_file", fail)
    else:
        monkeypatch.setattr(bundle_module.os, call, fail)
    with pytest.raises(OperatorError, match="No space left on device"):
        unpack_bundle(str(path), str(tmp_path / "out"), **ME)
    assert os.listdir(tmp_path) == ["b.tar.gz"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small file system")
def test_nothing_is_left_where_the_disk_is_full(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "b.tar.gz", "demo", "1.0.0", files={"big": os.urandom(400_000)})
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        with pytest.raises(OperatorError, match="No space left on device"):
            unpack_bundle(str(path), str(disk / "out"), **ME)
        assert os.listdir(disk) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_bundle_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_bundle(tmp_path / "b.tar.gz", "demo", "1.0.0", files={"a": b"one"})
    other = make_bundle(tmp_path / "c.tar.gz", "demo", "1.0.0", files={"a": b"two"}).read_bytes()
    inspect = bundle_module._inspect

    def then_change(*arguments: Any) -> object:
        found = inspect(*arguments)
        path.write_bytes(other)
        return found

    monkeypatch.setattr(bundle_module, "_inspect", then_change)
    with pytest.raises(OperatorError, match="changed while it was read"):
        unpack_bundle(str(path), str(tmp_path / "out"), **ME)
    assert not (tmp_path / "out").exists()
