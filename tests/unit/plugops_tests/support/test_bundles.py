# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundle fixtures, looked at with tarfile, json and PyYAML."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any, Dict

import pytest
import yaml

from plugops_tests.support.bundles import LAYOUTS, SERVER_EXECUTABLE, make_bundle

PREFIXES = {"directory": "my.plugin/", "root": "", "dot": "./", "dot-directory": "./my.plugin/"}


def _members(path: Path) -> Dict[str, tarfile.TarInfo]:
    # Read as headers stand in the file: tarfile strips the slash of directories, nothing else.
    with tarfile.open(path) as archive:
        return {member.name: member for member in archive.getmembers()}


def _read(path: Path, name: str) -> bytes:
    with tarfile.open(path) as archive:
        stream = archive.extractfile(name)
        assert stream is not None
        return stream.read()


def test_same_input_gives_same_bytes(tmp_path: Path) -> None:
    options: Dict[str, Any] = {"server": True, "file_count": 3, "files": {"b": b"2", "a/c": b"1"}}
    first = make_bundle(tmp_path / "one.tar.gz", "my.plugin", "1.0.0", **options)
    second = make_bundle(tmp_path / "sub" / "two.tar.gz", "my.plugin", "1.0.0", **options)
    other = make_bundle(tmp_path / "three.tar.gz", "my.plugin", "1.0.1", **options)
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, second, other)]
    assert digests[0] == digests[1] != digests[2]
    assert first.read_bytes()[4:8] == bytes(4), "the gzip header must not carry the time of packing"
    assert list(_members(first)) == sorted(_members(first)), "the order must not depend on the hash seed"


def test_directory_as_destination_names_the_file(tmp_path: Path) -> None:
    assert make_bundle(tmp_path, "my.plugin", "1.2.3") == tmp_path / "my.plugin-1.2.3.tar.gz"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path: Path, layout: str) -> None:
    path = make_bundle(tmp_path, "my.plugin", "1.0.0", server=True, layout=layout)
    prefix = PREFIXES[layout]
    members = _members(path)
    assert prefix + "plugin.json" in members
    assert prefix + "webapp/my.plugin_bundle.js" in members
    assert members[prefix + SERVER_EXECUTABLE].mode == 0o755
    assert members[prefix + "webapp"].isdir()
    assert all(name.startswith(prefix) or prefix.startswith(name) for name in members)
    listed = subprocess.run(["tar", "-tzf", str(path)], check=True, capture_output=True, text=True).stdout.split()
    top = {name[2:] if name.startswith("./") else name for name in listed} - {""}
    assert ({name.split("/")[0] for name in top} == {"my.plugin"}) == ("directory" in layout)


@pytest.mark.parametrize("name", ["plugin.json", "plugin.yml", "plugin.yaml"])
def test_manifest_formats_say_the_same(tmp_path: Path, name: str) -> None:
    path = make_bundle(
        tmp_path,
        "my.plugin",
        "1.0.0",
        server=True,
        manifest_name=name,
        min_server_version="5.6.0",
        extra_manifest={
            "name": "yes: # no",
            "props": {"list": ["a b", "true", "1.0"], "empty": {}},
            "description": None,
        },
    )
    content = _read(path, f"my.plugin/{name}")
    assert (json.loads if name.endswith("json") else yaml.safe_load)(content) == {
        "id": "my.plugin",
        "name": "yes: # no",
        "version": "1.0.0",
        "min_server_version": "5.6.0",
        "server": {"executables": {"linux-amd64": SERVER_EXECUTABLE}, "executable": SERVER_EXECUTABLE},
        "backend": {"executable": SERVER_EXECUTABLE},
        "webapp": {"bundle_path": "webapp/my.plugin_bundle.js"},
        "props": {"list": ["a b", "true", "1.0"], "empty": {}},
    }


def test_files_fillers_and_modes(tmp_path: Path) -> None:
    path = make_bundle(
        tmp_path,
        "p",
        "1.0.0",
        webapp=False,
        server=True,
        executable_mode=0o644,
        file_count=7,
        files={"assets/icon.svg": b"<svg/>", "plugin.json": b"{broken"},
        mtime=1234,
    )
    members = _members(path)
    assert members[f"p/{SERVER_EXECUTABLE}"].mode == 0o644
    assert sum(name.startswith("p/assets/filler-") for name in members) == 7
    assert _read(path, "p/assets/icon.svg") == b"<svg/>"
    assert _read(path, "p/plugin.json") == b"{broken"
    assert not any("webapp" in name for name in members)
    assert {member.mtime for member in members.values()} == {1234}


def test_server_script_prints_a_handshake_and_ends_with_its_input(tmp_path: Path) -> None:
    path = make_bundle(tmp_path, "p", "1.0.0", server=True)
    script = tmp_path / "script"
    script.write_bytes(_read(path, f"p/{SERVER_EXECUTABLE}"))
    done = subprocess.run(["/bin/sh", str(script)], input="", capture_output=True, text=True, timeout=10, check=True)
    core, protocol, network, _address, kind = done.stdout.strip().split("|")
    assert (core, protocol, network, kind) == ("1", "1", "unix", "netrpc")


def test_unknown_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="layout 'flat'"):
        make_bundle(tmp_path, "p", "1.0.0", layout="flat")
