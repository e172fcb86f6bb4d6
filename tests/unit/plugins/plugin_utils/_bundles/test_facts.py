# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was read in bundles is kept on the controller, and believed no longer than it is true."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle import bundle as bundle_module
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles import facts as facts_module
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.facts import BundleFacts, cache_directory

from plugops_tests.support.bundles import make_bundle

ID = "com.example.plugin"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "bundles.json"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path, ID, "1.2.0", server=True, executable_mode=0o644, min_server_version="5.6.0")


def _old(path: Path) -> None:
    """Let the file's last change lie so far back that its times can be relied upon."""
    ours = os.stat(path).st_ctime_ns
    while time.time_ns() - ours < 50_000_000:
        time.sleep(0.01)


@pytest.fixture
def short_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_module, "_TICK", 20_000_000)


def _count_reads(monkeypatch: pytest.MonkeyPatch) -> List[str]:
    reads: List[str] = []
    real = bundle_module.read_bundle

    def read_bundle(path: str) -> Any:
        reads.append(path)
        return real(path)

    monkeypatch.setattr(bundle_module, "read_bundle", read_bundle)
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
    monkeypatch.setattr(facts_module, "_TICK", 60_000_000_000)
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
    assert cache_directory() == "/x/plugops"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_directory() == "/home/me/.cache/plugops"


@pytest.mark.usefixtures("short_tick")
def test_what_was_verified_is_believed_for_this_file_this_evidence_and_an_hour(
    cache: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _old(bundle)
    facts = BundleFacts(str(cache))
    facts.keep_verified(str(bundle), "evidence", "KEY")
    assert facts.verified(str(bundle), "evidence") is None, "nothing is known of the file itself"
    facts.of(str(bundle))
    facts.keep_verified(str(bundle), "evidence", "KEY")
    facts.save()
    facts = BundleFacts(str(cache))
    assert facts.verified(str(bundle), "evidence") == "KEY"
    assert facts.verified(str(bundle), "other") is None
    now = time.time()
    for moment, known in ((now + 3500, "KEY"), (now + 3700, None), (now - 3700, None)):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        assert facts.verified(str(bundle), "evidence") == known
    monkeypatch.setattr(time, "time", lambda: now)
    bundle.touch()
    assert facts.verified(str(bundle), "evidence") is None


@pytest.mark.usefixtures("short_tick")
@pytest.mark.parametrize("damage", [None, 1, [], ["evidence", "KEY"], {"evidence": "KEY"}])
def test_a_damaged_note_of_what_was_verified_is_none(cache: Path, bundle: Path, damage: Any) -> None:
    _old(bundle)
    _facts(cache, bundle)
    content = json.loads(cache.read_text())
    content["bundles"][str(bundle)]["verified"] = damage
    cache.write_text(json.dumps(content))
    assert BundleFacts(str(cache)).verified(str(bundle), "evidence") is None
