"""The operator's list against bundles on the controller."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._wanted_plugin import WantedPlugin
from ansible_collections.plugops.mattermost.plugins.plugin_utils import _wanted_bundles
from ansible_collections.plugops.mattermost.plugins.plugin_utils._wanted_bundles import (
    BundleFacts,
    default_cache_path,
    wanted_plugins,
)

from support.bundles import SERVER_EXECUTABLE, make_bundle

ID = "com.example.plugin"
HASH = "ab" * 32


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "bundles.json"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path, ID, "1.2.0", server=True, executable_mode=0o644, min_server_version="5.6.0")


def _read(
    tmp_path: Path, entries: List[Any], cache: Path = Path("/nonexistent/cache")
) -> Tuple[List[WantedPlugin], Mapping[str, str]]:
    return wanted_plugins(entries, lambda src: str(tmp_path / src), BundleFacts(str(cache)))


def _old(path: Path) -> None:
    """Let the file's last change lie so far back that its times can be relied upon."""
    ours = os.stat(path).st_ctime_ns
    while time.time_ns() - ours < 50_000_000:
        time.sleep(0.01)


@pytest.fixture
def short_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wanted_bundles, "_TICK", 20_000_000)


def test_what_stands_in_the_bundle(tmp_path: Path, bundle: Path) -> None:
    (plugin,), sources = _read(tmp_path, [{"src": bundle.name}])
    data = bundle.read_bytes()
    assert plugin == WantedPlugin(
        id=ID,
        written_id=ID,
        version="1.2.0",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        tree=plugin.tree,
        min_server_version="5.6.0",
        executables=(SERVER_EXECUTABLE,),
        unexecutable=(SERVER_EXECUTABLE,),
    )
    assert len(plugin.tree) == 64
    assert sources == {plugin.sha256: str(bundle)}


@pytest.mark.parametrize(
    ("more", "enabled"),
    [
        ({}, True),
        ({"enabled": None}, True),
        ({"enabled": False}, False),
        ({"enabled": "no"}, False),
        ({"enabled": "False"}, False),
        ({"enabled": "yes"}, True),
        ({"state": None, "enabled": True}, True),
    ],
)
def test_enabled(tmp_path: Path, bundle: Path, more: Dict[str, Any], enabled: bool) -> None:
    (plugin,), _ = _read(tmp_path, [{"src": bundle.name, **more}])
    assert (plugin.present, plugin.enabled) == (True, enabled)


def test_said_and_found_agree(tmp_path: Path, bundle: Path) -> None:
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    entry = {"src": bundle.name, "id": ID.upper(), "version": "1.2.0", "sha256": digest.upper()}
    assert _read(tmp_path, [entry]) == _read(tmp_path, [{"src": bundle.name}])


@pytest.mark.parametrize(
    ("key", "value", "found"), [("id", "com.other", ID), ("version", "1.2", "1.2.0"), ("sha256", HASH, None)]
)
def test_said_and_found_contradict(tmp_path: Path, bundle: Path, key: str, value: str, found: Any) -> None:
    with pytest.raises(OperatorError, match=f"another {key}") as raised:
        _read(tmp_path, [{"src": bundle.name, key: value}])
    assert raised.value.wanted == value
    assert raised.value.found == (found or hashlib.sha256(bundle.read_bytes()).hexdigest())
    assert "entry 1" in raised.value.where
    assert str(bundle) in raised.value.where


def test_without_a_bundle(tmp_path: Path) -> None:
    entries = [
        {"id": ID, "version": "1.0.0", "sha256": HASH.upper(), "enabled": False},
        {"id": "Com.Example.Gone", "state": "absent"},
    ]
    plugins, sources = _read(tmp_path, entries)
    assert plugins == [
        WantedPlugin(id=ID, version="1.0.0", sha256=HASH, enabled=False),
        WantedPlugin(id="com.example.gone", present=False, enabled=False),
    ]
    assert sources == {}
    assert _read(tmp_path, []) == ([], {})


STORED = {"id": ID, "version": "1.0.0", "sha256": HASH}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("files/x.tar.gz", "must be a mapping"),
        ({"src": "x", "source": "y"}, "unknown key"),
        ({"src": "x", "state": "latest"}, "unknown state"),
        ({"state": "absent"}, "needs the plugin's id"),
        ({}, "needs src"),
        ({"id": ID}, "needs src"),
        ({"id": ID, "sha256": HASH}, "needs src"),
        ({"version": "1.0.0", "sha256": HASH}, "needs src"),
        ({"id": ID, "version": "1.0.0"}, "needs src"),
        ({**STORED, "version": 1.1}, "version must be a text"),
        ({"src": "x", "version": 1}, "version must be a text"),
        ({"src": ["x"]}, "src must be a text"),
        ({**STORED, "sha256": "sha256:" + HASH}, "no SHA-256"),
        ({**STORED, "sha256": "../" + HASH[3:]}, "no SHA-256"),
        ({**STORED, "sha256": HASH + "\n"}, "no SHA-256"),
        ({**STORED, "enabled": "perhaps"}, "enabled must be"),
        ({**STORED, "enabled": 2}, "enabled must be"),
    ],
)
def test_wrong_entries(tmp_path: Path, entry: Any, problem: str) -> None:
    good = {"id": "com.example.good", "state": "absent"}
    with pytest.raises(OperatorError, match=problem) as raised:
        _read(tmp_path, [good, entry])
    assert "entry 2" in raised.value.where


@pytest.mark.parametrize("plugin_id", ["..", ".", "../../../etc", "a/b", ".hidden", "x y z", "ab"])
def test_ids_that_are_no_names_of_directories(tmp_path: Path, plugin_id: str) -> None:
    """An absent plugin's id becomes a path that is removed."""
    for entry in ({"id": plugin_id, "state": "absent"}, {**STORED, "id": plugin_id}):
        with pytest.raises(OperatorError):
            _read(tmp_path, [entry])


def test_twice(tmp_path: Path, bundle: Path) -> None:
    with pytest.raises(OperatorError, match=f"{ID} stands twice") as raised:
        _read(tmp_path, [{"src": bundle.name}, {"id": ID.upper(), "state": "absent"}])
    assert "entry 2" in raised.value.where


@pytest.mark.parametrize("content", [None, b"", b"no bundle"])
def test_no_bundle(tmp_path: Path, content: Any) -> None:
    if content is not None:
        (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(OperatorError) as raised:
        _read(tmp_path, [{"src": "x.tar.gz"}])
    assert str(tmp_path / "x.tar.gz") in str(raised.value)


# the cache


def _count_reads(monkeypatch: pytest.MonkeyPatch) -> List[str]:
    reads: List[str] = []
    real = _wanted_bundles.read_bundle

    def read_bundle(path: str) -> Any:
        reads.append(path)
        return real(path)

    monkeypatch.setattr(_wanted_bundles, "read_bundle", read_bundle)
    return reads


def _facts(cache: Path, bundle: Path) -> Dict[str, Any]:
    facts = BundleFacts(str(cache))
    found = facts.of(str(bundle))
    facts.save()
    return found


@pytest.mark.usefixtures("short_tick")
def test_unchanged_bundles_are_read_once(cache: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _old(bundle)
    reads = _count_reads(monkeypatch)
    first = _facts(cache, bundle)
    assert _facts(cache, bundle) == first
    assert len(reads) == 1
    assert cache.stat().st_mode & 0o777 == 0o600
    before = cache.stat().st_ino
    _facts(cache, bundle)
    assert cache.stat().st_ino == before, "nothing new, nothing written"


@pytest.mark.usefixtures("short_tick")
def test_changed_bundles_are_read_again(cache: Path, bundle: Path, tmp_path: Path) -> None:
    _old(bundle)
    _facts(cache, bundle)
    times = bundle.stat()
    other = make_bundle(tmp_path / "other.tar.gz", ID, "1.2.1", server=True, min_server_version="5.6.0")
    data = other.read_bytes()
    bundle.write_bytes(data + bytes(max(0, times.st_size - len(data))))
    os.utime(bundle, ns=(times.st_atime_ns, times.st_mtime_ns))  # as rsync -t would
    assert _facts(cache, bundle)["version"] == "1.2.1"


def test_a_bundle_that_was_written_just_now_is_not_relied_upon(
    cache: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wanted_bundles, "_TICK", 60_000_000_000)
    os.utime(bundle, (1, 1))  # a time that anybody can set says nothing
    reads = _count_reads(monkeypatch)
    _facts(cache, bundle)
    _facts(cache, bundle)
    assert len(reads) == 2


@pytest.mark.usefixtures("short_tick")
@pytest.mark.parametrize("damage", ["{", "[]", "null", "{}", '{"format": 1}', '{"format": 1, "bundles": []}', "other"])
def test_damaged_or_foreign_cache_is_no_cache(cache: Path, bundle: Path, damage: str) -> None:
    _old(bundle)
    expected = _facts(cache, bundle)
    content = json.loads(cache.read_text())
    assert list(content["bundles"]) == [str(bundle)]
    if damage == "other":
        content["format"] += 1
        content["bundles"][str(bundle)]["facts"]["tree"] = "of another algorithm"
        damage = json.dumps(content)
    cache.write_text(damage)
    assert _facts(cache, bundle) == expected
    for entry in (1, {}, {"stamp": content["bundles"][str(bundle)]["stamp"]}):
        cache.write_text(json.dumps({"format": 1, "bundles": {str(bundle): entry}}))
        assert _facts(cache, bundle) == expected


@pytest.mark.usefixtures("short_tick")
def test_bundles_that_are_gone_are_forgotten(cache: Path, bundle: Path, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other.tar.gz", ID, "1.2.1")
    _old(bundle)
    _old(other)
    _facts(cache, bundle)
    bundle.unlink()
    _facts(cache, other)
    assert list(json.loads(cache.read_text())["bundles"]) == [str(other)]


@pytest.mark.usefixtures("short_tick")
def test_cache_that_cannot_be_written_is_no_error(tmp_path: Path, bundle: Path) -> None:
    _old(bundle)
    (tmp_path / "file").touch()
    assert _facts(tmp_path / "file" / "bundles.json", bundle)["id"] == ID


def test_place_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert default_cache_path() == "/x/plugops/bundles.json"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_cache_path() == "/home/me/.cache/plugops/bundles.json"
