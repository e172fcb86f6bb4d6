# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of an app server that its own account wrote to make root stumble: each run ends soon, with a result or a clear
error, and none with a traceback."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.bundle import read_bundle
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.manifest_in_bundle import manifest_of
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._formats.openpgp import unverifiable_by_servers
from ansible_collections.plugops.mattermost.plugins.module_utils._host.executable import read_header
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.lock_file import parse_lock
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.signature import dearmoured
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugops_tests.modules.place import CONFIG, Place, broken_place, mend_directories
from plugops_tests.sandbox.app_server import PLUGIN_ID, VERSION
from plugops_tests.support.bundles import make_bundle

SECONDS = 10  # of processor time; no run takes longer
INFO, DIRECTORIES = "mattermost_plugin_info", "mattermost_plugin_directories"
quick = settings(max_examples=20, suppress_health_check=list(HealthCheck))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
SECTIONS = st.sampled_from(
    ["PluginSettings", "FileSettings", "ServiceSettings", "LogSettings", "ImportSettings", "ClusterSettings"]
)
KEYS = st.sampled_from(
    [
        "Enable",
        "Directory",
        "ClientDirectory",
        "Plugins",
        "PluginStates",
        "SignaturePublicKeyFiles",
        "DriverName",
        "ListenAddress",
        "LocalModeSocketLocation",
        "FileLocation",
        "MaxFileSize",
        "EnableFile",
        "EnableLocalMode",
    ]
)
CONFIGS = st.dictionaries(SECTIONS, JSON | st.dictionaries(KEYS, JSON, max_size=4), max_size=4)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with broken_place("11.0.0") as made:
        made.make("/opt/mattermost/data/plugins")
        yield made


def run(place: Place, module: str = INFO, **arguments: Any) -> Dict[str, Any]:
    started = time.process_time()
    given_ = {"root": str(place.server.root), "server_version": "11.0.0", **arguments}
    answer = place.call(module, given_, module != INFO)
    assert time.process_time() - started < SECONDS
    assert "exception" not in answer, f"{answer['msg']}\n{answer['exception']}"
    assert not answer.get("failed") or "What to do" in answer["msg"] or " - " in answer["msg"], answer["msg"]
    return answer


def run_all(place: Place) -> List[Dict[str, Any]]:
    """Audit, plan and directories."""
    plan = {"plugins": [{"src": place.bundle()}]}
    return [run(place, findings=True), run(place, **plan), run(place, DIRECTORIES)]


def codes(answer: Dict[str, Any]) -> List[str]:
    return [finding["code"] for finding in answer.get("findings", [])]


# --- config.json


@pytest.fixture
def config(place: Place) -> Iterator[Path]:
    path = place.real(CONFIG)
    kept = path.read_bytes()
    yield path
    path.write_bytes(kept)
    place.give(path)


@pytest.mark.parametrize(
    ("section", "values", "told"),
    [
        ("PluginSettings", '{"Directory": 5}', "Directory"),
        ("PluginSettings", '{"Directory": "a\\u0000b"}', "Directory"),
        ("PluginSettings", '{"Directory": "a\\ud800b"}', "Directory"),
        ("PluginSettings", '{"Directory": "' + "a/" * 4000 + '"}', "Directory"),
        ("PluginSettings", '{"Plugins": 5}', "Plugins"),
        ("PluginSettings", '{"Plugins": {"a": 5}}', "Plugins"),
        ("PluginSettings", '{"PluginStates": []}', "PluginStates"),
        ("PluginSettings", '{"SignaturePublicKeyFiles": ["\\u0000"]}', "SignaturePublicKeyFiles"),
        ("PluginSettings", "[]", "PluginSettings"),
        ("FileSettings", '{"Directory": "a\\u0000b"}', "Directory"),
        ("FileSettings", '{"Directory": 5}', "Directory"),
        ("ServiceSettings", '{"ListenAddress": {}}', "ListenAddress"),
        ("ServiceSettings", '{"ListenAddress": "\\u0000:80"}', "ListenAddress"),
        ("ServiceSettings", '{"EnableLocalMode": true, "LocalModeSocketLocation": "\\u0000"}', "LocalModeSocket"),
        ("ImportSettings", '{"Directory": "a\\u0000b"}', "Directory"),
        ("LogSettings", '{"FileLocation": "\\u0000"}', "FileLocation"),
    ],
)
def test_a_setting_that_no_server_takes(place: Place, config: Path, section: str, values: str, told: str) -> None:
    config.write_text(f'{{"{section}": {values}}}')
    audit, plan, _ = run_all(place)
    findings = [finding for finding in audit.get("findings", []) if finding["code"] == "config-unreadable"]
    assert findings, codes(audit)
    assert told in str(findings)
    if section in ("PluginSettings", "FileSettings"):
        assert told in json.dumps(plan["errors"])


@pytest.mark.parametrize(
    "content",
    [
        b'{"a":' + b"[" * 100_000,
        b'{"PluginSettings":{},"pluginsettings":{}}',
        b"\xff",
        b"",
        b"[]",
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 1_000_000 + b"}",
        b'{"a": "' + b"x" * 30_000_000 + b'"}',
        b'{"a": [' + b"1," * 300_000 + b"1]}",
        b"\xef\xbb\xbf" * 2,
    ],
    ids=range(10),
)
def test_a_config_that_is_none(place: Place, config: Path, content: bytes) -> None:
    config.write_bytes(content)
    run_all(place)


@settings(quick, max_examples=8)
@given(CONFIGS.map(lambda content: json.dumps(content).encode()) | st.binary(max_size=200))
def test_any_config(place: Place, content: bytes) -> None:
    path = place.real(CONFIG)
    kept = path.read_bytes()
    try:
        path.write_bytes(content)
        run(place, findings=True)
    finally:
        path.write_bytes(kept)


# --- an unpacked plugin


@pytest.fixture
def plugin(place: Place) -> Iterator[Path]:
    path = place.plugin()
    kept = place.directory / "kept"
    shutil.copytree(path, kept)
    yield path
    subprocess.run(["rm", "-rf", str(path)], check=True)  # deeper than shutil goes
    shutil.copytree(kept, path)
    shutil.rmtree(kept)


def yml(text: str) -> Callable[[Path], None]:
    return lambda path: (path / "plugin.yml").write_text(text) and None


def json_text(text: str) -> Callable[[Path], None]:
    return lambda path: (path / "plugin.json").write_text(text) and None


def deep(path: Path, levels: int = 1500) -> None:
    handles = [os.open(path, os.O_RDONLY)]
    try:
        for _ in range(levels):
            os.mkdir("d", dir_fd=handles[-1])
            handles.append(os.open("d", os.O_RDONLY, dir_fd=handles[-1]))
            os.close(handles.pop(0))
    finally:
        for handle in handles:
            os.close(handle)


def wide(path: Path) -> None:
    for number in range(5_000):
        (path / f"f{number}").touch()


def sparse(path: Path) -> None:
    with open(path / "huge", "wb") as out:
        out.truncate(4 * 1024**4)


@pytest.mark.parametrize(
    "make",
    [
        json_text("[" * 200_000),
        json_text('{"id":"com.example.hello","a":' + '{"a":' * 200_000),
        json_text('{"id": "' + PLUGIN_ID + '", "version": "' + "9" * 900_000 + '.0.0"}'),
        json_text('{"id": "' + PLUGIN_ID + '", "server": {"executable": "a\\u0000b"}}'),
        json_text('{"id": "' + PLUGIN_ID + '", "server": [], "webapp": 5}'),
        yml("a: " + "[" * 100_000),
        yml("\n".join(" " * depth + "a:" for depth in range(3000))),
        yml(f'id: {PLUGIN_ID}\nx: "' + "a" * 30_000_000 + '"\n'),
        yml(f"id: {PLUGIN_ID}\n" + "".join(f"k{number}: v\n" for number in range(300_000))),
        yml(f"id: {PLUGIN_ID}\n? [a]\n: b\n"),
        deep,
        wide,
        sparse,
    ],
    ids=[
        "deep JSON",
        "deep objects",
        "digits",
        "zero byte",
        "types",
        "deep flow",
        "deep YAML",
        "30 MB",
        "keys",
        "list key",
        "deep",
        "wide",
        "sparse",
    ],
)
def test_a_plugin_made_to_stumble_over(place: Place, plugin: Path, make: Callable[[Path], None]) -> None:
    make(plugin)
    run_all(place)


def test_a_deep_tree_in_the_staging_is_removed() -> None:
    with broken_place() as place:
        root = {"root": str(place.server.root), "server_version": VERSION}
        mend_directories(place, root)
        staging = place.make("/opt/mattermost/.plugops-staging")
        deep(staging, 3000)
        try:
            plugins = [{"src": place.bundle()}]
            answer = place.call("mattermost_plugin", {**root, "plugins": plugins, "strategy": "unpack"}, False)
            assert not answer.get("failed"), answer["msg"]
            assert not staging.exists()
        finally:
            subprocess.run(["rm", "-rf", str(staging)], check=True)


# --- bundles


def tar_of(members: List[Tuple[str, bytes]], kind: bytes = tarfile.REGTYPE) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    directory = tmp_path_factory.mktemp("bundles")
    return make_bundle(directory, "com.example.demo", "1.0.0", server=True).read_bytes()


def take(path: Path) -> None:
    """As a bundle of an author, and as one that root only looks into."""
    started = time.process_time()
    for read in (read_bundle, manifest_of):
        with contextlib.suppress(OperatorError):
            read(str(path))
    assert time.process_time() - started < SECONDS


@given(content=st.binary() | st.binary().map(gzip.compress) | st.binary(min_size=512, max_size=2048).map(gzip.compress))
@quick
def test_any_bundle(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.tar.gz"
    path.write_bytes(content)
    take(path)


@given(
    changes=st.lists(st.tuples(st.integers(0, 20_000), st.binary(min_size=1, max_size=4)), min_size=1),
    packed=st.booleans(),
)
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_a_bundle_that_was_tampered_with(
    tmp_path_factory: pytest.TempPathFactory, sound: bytes, changes: List[Tuple[int, bytes]], packed: bool
) -> None:
    data = bytearray(sound if packed else gzip.decompress(sound))
    for place_, piece in changes:
        at = place_ % len(data)
        data[at : at + len(piece)] = piece
    path = tmp_path_factory.getbasetemp() / "mutated.tar.gz"
    path.write_bytes(bytes(data) if packed else gzip.compress(bytes(data), 1))
    take(path)


@given(
    names=st.lists(st.text(max_size=20) | st.sampled_from(["plugin.json", "a/plugin.yml", "..", "/x"]), max_size=5),
    content=st.binary(max_size=50) | JSON.map(lambda value: json.dumps(value).encode()),
    kind=st.sampled_from([bytes([number]) for number in b"01234567SxgLK"]),
)
@quick
def test_a_bundle_of_any_members(
    tmp_path_factory: pytest.TempPathFactory, names: List[str], content: bytes, kind: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "members.tar.gz"
    try:
        path.write_bytes(tar_of([(name, content) for name in names], kind))
    except (UnicodeError, ValueError):
        return  # no tar can hold such a name
    take(path)


# --- what is small


@given(st.binary() | st.binary().map(lambda data: b"-----BEGIN PGP SIGNATURE-----\n" + data))
def test_any_signature(data: bytes) -> None:
    assert isinstance(unverifiable_by_servers(data), str)


@given(st.binary())
def test_any_keyring(data: bytes) -> None:
    armoured = b"-----BEGIN PGP PUBLIC KEY BLOCK-----" + data + b"-----END PGP PUBLIC KEY BLOCK-----"
    with contextlib.suppress(OperatorError):
        assert isinstance(dearmoured(armoured, "keyring"), bytes)


@given(st.text() | st.dictionaries(st.sampled_from(["format", "plugins"]), JSON).map(json.dumps) | JSON.map(json.dumps))
def test_any_lock_file(text: str) -> None:
    with contextlib.suppress(OperatorError):
        assert parse_lock(text, "lock.yml").path == "lock.yml"


PINS = st.dictionaries(
    st.sampled_from(["abc", "com.example.x", ".a", "a/b"]) | st.text(max_size=3),
    JSON
    | st.dictionaries(
        st.sampled_from(["state", "version", "sha256", "tree", "src", "url", "signature", "enabled"]),
        JSON | st.sampled_from(["absent", "ab" * 32, "1.0.0", "http://[::1", "http://u:p@x"]),
    ),
    max_size=3,
)


@given(PINS)
def test_any_pins(pins: Dict[str, Any]) -> None:
    text = json.dumps({"format": 1, "plugins": pins})
    try:
        lock = parse_lock(text, "lock.yml")
    except OperatorError:
        return
    assert parse_lock(lock.text(), "lock.yml").pins == lock.pins


@given(st.sampled_from([b"\x7fELF", b"#!", b"MZ", b"\xfe\xed\xfa\xce", b""]), st.binary(max_size=700))
def test_any_executable(tmp_path_factory: pytest.TempPathFactory, start: bytes, rest: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "program"
    path.write_bytes(start + rest)
    assert "\0" not in read_header(str(path)).loader
