# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's list against bundles on the controller."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.wanted import WantedPlugin
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.wanted import take_plugins

from plugops_tests.servers.download_server import download_server
from plugops_tests.support import signing
from plugops_tests.support.bundles import SERVER_EXECUTABLE, make_bundle

ID = "com.example.plugin"
HASH = "ab" * 32


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path, ID, "1.2.0", server=True, executable_mode=0o644, min_server_version="5.6.0")


def _read(tmp_path: Path, entries: List[Any], **options: Any) -> Tuple[List[WantedPlugin], Mapping[str, str]]:
    args = {"plugins": entries, **options}
    sources = take_plugins(args, lambda src: str(tmp_path / src))
    assert set(args) == {"bundles"}, "nothing of where bundles come from goes to a host"
    return [WantedPlugin.from_dict(bundle) for bundle in args["bundles"]], sources


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


def test_what_the_server_brings_along(tmp_path: Path) -> None:
    """Nobody gives a bundle, so no lock file can pin it."""
    lock = tmp_path / "lock.yml"
    lock.write_text("format: 1\nplugins: {}\n", encoding="utf-8")
    for options in ({}, {"lock": str(lock)}):
        plugins, _ = _read(tmp_path, [{"id": ID}, {"id": "com.example.other", "enabled": False}], **options)
        assert plugins == [WantedPlugin(id=ID), WantedPlugin(id="com.example.other", enabled=False)]
        assert all(plugin.from_server for plugin in plugins)


def test_a_way_of_its_own(tmp_path: Path) -> None:
    plugins, _ = _read(tmp_path, [{**STORED, "strategy": "prepackaged"}, {"id": "com.example.other"}])
    assert [plugin.strategy for plugin in plugins] == ["prepackaged", ""]


STORED = {"id": ID, "version": "1.0.0", "sha256": HASH}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("files/x.tar.gz", "must be a mapping"),
        ({"src": "x", "source": "y"}, "unknown key"),
        ({"src": "x", "state": "latest"}, "unknown state"),
        ({"state": "absent"}, "needs the plugin's id"),
        ({}, "needs src"),
        ({"id": ID, "signature": "x.sig"}, "no source is specified"),
        ({"id": ID, "sha256": HASH}, "no source is specified"),
        ({"version": "1.0.0", "sha256": HASH}, "needs src"),
        ({"id": ID, "version": "1.0.0"}, "no source is specified"),
        ({"src": "x", "url": "https://example.com/x"}, "not both"),
        ({"url": "https://example.com/x"}, "needs its sha256"),
        ({"url": ["x"], "sha256": HASH}, "url must be a text"),
        ({"src": "x", "signature": 1}, "signature must be a text"),
        ({**STORED, "version": 1.1}, "version must be a text"),
        ({"src": "x", "version": 1}, "version must be a text"),
        ({"src": ["x"]}, "src must be a text"),
        ({**STORED, "sha256": "sha256:" + HASH}, "no SHA-256"),
        ({**STORED, "sha256": "../" + HASH[3:]}, "no SHA-256"),
        ({**STORED, "sha256": HASH + "\n"}, "no SHA-256"),
        ({"src": "x", "strategy": "magic"}, "unknown strategy"),
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
    with pytest.raises(OperatorError, match=f"{ID} twice") as raised:
        _read(tmp_path, [{"src": bundle.name}, {"id": ID.upper(), "state": "absent"}])
    assert "entry 2" in raised.value.where


@pytest.mark.parametrize("content", [None, b"", b"no bundle"])
def test_no_bundle(tmp_path: Path, content: Any) -> None:
    if content is not None:
        (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(OperatorError) as raised:
        _read(tmp_path, [{"src": "x.tar.gz"}])
    assert str(tmp_path / "x.tar.gz") in str(raised.value)


# A directory of bundles.


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Two plugins; what is hidden or no bundle is not looked at."""
    path = tmp_path / "bundles"
    path.mkdir()
    make_bundle(path, ID, "1.2.0")
    make_bundle(path / "other.tar.gz", "com.example.other", "2.0.0")
    (path / ".partly.tar.gz").write_bytes(b"half")
    (path / "README.md").write_text("what lies here")
    return path


def test_every_bundle_of_a_directory_is_wanted(tmp_path: Path, directory: Path) -> None:
    plugins, sources = _read(tmp_path, [], bundle_directory="bundles")
    assert [(plugin.id, plugin.version, plugin.enabled) for plugin in plugins] == [
        (ID, "1.2.0", True),
        ("com.example.other", "2.0.0", True),
    ]
    assert set(sources.values()) == {str(directory / f"{ID}-1.2.0.tar.gz"), str(directory / "other.tar.gz")}


def test_an_entry_says_more_of_a_bundle_in_the_directory(tmp_path: Path, directory: Path) -> None:
    entries = [{"id": "com.example.other", "state": "absent"}, {"id": ID.upper(), "enabled": False}]
    plugins, sources = _read(tmp_path, entries, bundle_directory="bundles")
    assert [(plugin.id, plugin.present, plugin.enabled) for plugin in plugins] == [
        ("com.example.other", False, False),
        (ID, True, False),
    ]
    assert list(sources.values()) == [str(directory / f"{ID}-1.2.0.tar.gz")]


def test_an_entry_with_a_source_of_its_own_goes_before_the_directory(tmp_path: Path, directory: Path) -> None:
    other = make_bundle(tmp_path, ID, "1.3.0")
    plugins, sources = _read(tmp_path, [{"src": other.name}], bundle_directory="bundles")
    assert [(plugin.id, plugin.version) for plugin in plugins] == [(ID, "1.3.0"), ("com.example.other", "2.0.0")]
    assert str(directory / f"{ID}-1.2.0.tar.gz") not in sources.values()


def test_one_of_several_bundles_must_be_chosen(tmp_path: Path, directory: Path) -> None:
    make_bundle(directory, ID, "1.3.0")
    with pytest.raises(OperatorError, match="several bundles") as raised:
        _read(tmp_path, [], bundle_directory="bundles")
    assert f"{ID}-1.2.0.tar.gz" in raised.value.found
    assert f"{ID}-1.3.0.tar.gz" in raised.value.found
    for version in ("1.2.0", "1.3.0"):
        plugins, _ = _read(tmp_path, [{"id": ID, "version": version}], bundle_directory="bundles")
        assert (plugins[0].id, plugins[0].version) == (ID, version)
    with pytest.raises(OperatorError, match="no source is specified"):
        _read(tmp_path, [{"id": ID, "version": "1.4.0"}], bundle_directory="bundles")


def test_a_directory_that_cannot_be_read_or_holds_no_bundle(tmp_path: Path, directory: Path) -> None:
    with pytest.raises(OperatorError, match="cannot be read"):
        _read(tmp_path, [], bundle_directory="nothing")
    (directory / "bad.tar.gz").write_bytes(b"no bundle")
    with pytest.raises(OperatorError, match=r"bad\.tar\.gz"):
        _read(tmp_path, [], bundle_directory="bundles")


# A lock file.


@pytest.fixture
def lock(tmp_path: Path, bundle: Path) -> Path:
    """Pins the bundle, disabled, one that only the nodes' stores have, and one that shall be gone."""
    sha256 = hashlib.sha256(bundle.read_bytes()).hexdigest()
    path = tmp_path / "locks" / "plugins.lock.yml"
    path.parent.mkdir()
    path.write_text(
        f"format: 1\nplugins:\n"
        f"  {ID}: {{version: 1.2.0, sha256: {sha256}, src: ../{bundle.name}, enabled: false}}\n"
        f"  com.example.stored: {{version: 2.0.0, sha256: {HASH}, tree: {HASH}}}\n"
        f"  com.example.gone: {{state: absent}}\n"
    )
    return path


def _state(plugins: List[WantedPlugin]) -> Dict[str, Tuple[bool, bool, str]]:
    return {plugin.id: (plugin.present, plugin.enabled, plugin.version) for plugin in plugins}


LOCKED = {
    ID: (True, False, "1.2.0"),
    "com.example.stored": (True, True, "2.0.0"),
    "com.example.gone": (False, False, ""),
}


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [{"id": ID}],
        [{"id": ID, "enabled": False}],
        [{"id": ID, "version": "1.2.0"}],
        [{"src": f"{ID}-1.2.0.tar.gz"}],
        [{"id": "com.example.gone", "state": "absent"}, {"id": "com.example.stored"}],
        [{"id": "com.example.unheard.of", "state": "absent"}],
    ],
)
def test_the_lock_file_says_what_the_list_leaves_out(tmp_path: Path, lock: Path, entries: List[Any]) -> None:
    plugins, sources = _read(tmp_path, entries, lock=str(lock))
    found = _state(plugins)
    assert {plugin_id: found[plugin_id] for plugin_id in LOCKED} == LOCKED
    assert [os.path.basename(path) for path in sources.values()] == [f"{ID}-1.2.0.tar.gz"]
    assert {plugin.id: plugin.tree for plugin in plugins}["com.example.stored"] == HASH


@pytest.mark.parametrize(
    "entry",
    [
        {"id": ID, "enabled": True},
        {"id": ID, "state": "absent"},
        {"id": "com.example.gone", "version": "1.0.0", "sha256": HASH},
        {"id": "com.example.stored", "enabled": False},
    ],
)
def test_list_and_lock_file_contradict(tmp_path: Path, lock: Path, entry: Dict[str, Any]) -> None:
    with pytest.raises(OperatorError, match="contradicts") as raised:
        _read(tmp_path, [entry], lock=str(lock))
    assert str(lock) in raised.value.where
    assert "entry 1" in raised.value.where


def test_another_version_than_the_pinned_one(tmp_path: Path, lock: Path) -> None:
    make_bundle(tmp_path, ID, "1.3.0")
    for entry in ({"src": f"{ID}-1.3.0.tar.gz"}, {"id": ID, "version": "1.3.0", "sha256": HASH}):
        with pytest.raises(OperatorError, match=r"contradicts|not the one") as raised:
            _read(tmp_path, [entry], lock=str(lock))
        assert str(lock) in raised.value.where
        assert "1.3.0" in str(raised.value)
        assert "1.2.0" in str(raised.value)


def test_what_the_lock_file_does_not_pin(tmp_path: Path, lock: Path, directory: Path) -> None:
    make_bundle(tmp_path, "com.example.new", "1.0.0")
    with pytest.raises(OperatorError, match=r"does not pin com\.example\.new"):
        _read(tmp_path, [{"src": "com.example.new-1.0.0.tar.gz"}], lock=str(lock))
    with pytest.raises(OperatorError, match=r"does not pin com\.example\.other"):
        _read(tmp_path, [{"src": f"{ID}-1.2.0.tar.gz"}], lock=str(lock), bundle_directory="bundles")
    with pytest.raises(OperatorError, match="contradicts") as raised:
        _read(tmp_path, [{"id": ID}], lock=str(lock), bundle_directory="bundles")
    assert str(directory / f"{ID}-1.2.0.tar.gz") in raised.value.where


def test_the_lock_file_chooses_among_the_bundles_of_a_directory(
    tmp_path: Path, bundle: Path, lock: Path, directory: Path
) -> None:
    (directory / "other.tar.gz").unlink()
    make_bundle(directory, ID, "1.3.0")
    bundle.replace(directory / bundle.name)
    plugins, sources = _read(tmp_path, [], lock=str(lock), bundle_directory="bundles")
    assert _state(plugins) == LOCKED
    assert list(sources.values()) == [str(directory / bundle.name)]


def test_a_pinned_bundle_that_is_another_one_now(tmp_path: Path, bundle: Path, lock: Path) -> None:
    make_bundle(bundle, ID, "1.2.0")
    with pytest.raises(OperatorError, match="another sha256") as raised:
        _read(tmp_path, [], lock=str(lock))
    assert str(lock) in raised.value.where


# Downloads and signatures, as far as the list goes; the rest is theirs.


def test_a_bundle_from_a_url(tmp_path: Path, bundle: Path) -> None:
    content = bundle.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    with download_server() as server:
        entry = {"url": server.offer("/b.tar.gz", content), "sha256": sha256.upper(), "enabled": False}
        (plugin,), sources = _read(tmp_path, [entry])
        cached = Path(sources[sha256])
        assert (plugin.id, plugin.sha256, plugin.enabled) == (ID, sha256, False)
        for damage in (b"damaged", content[:-1]):
            cached.write_bytes(damage)
            assert _read(tmp_path, [entry])[0] == [plugin]
            assert cached.read_bytes() == content
        assert len(server.requests) == 3
        with pytest.raises(OperatorError, match="another version"):
            _read(tmp_path, [{**entry, "version": "9.9.9"}])


def test_what_a_url_leads_to_is_no_bundle(tmp_path: Path) -> None:
    with download_server() as server:
        entry = {"url": server.offer("/b.tar.gz", b"no bundle"), "sha256": hashlib.sha256(b"no bundle").hexdigest()}
        for _ in range(2):
            with pytest.raises(OperatorError):
                _read(tmp_path, [entry])
        assert len(server.requests) == 1


def test_a_file_url(tmp_path: Path, bundle: Path) -> None:
    sha256 = hashlib.sha256(bundle.read_bytes()).hexdigest()
    _, sources = _read(tmp_path, [{"url": bundle.as_uri(), "sha256": sha256}])
    assert sources == {sha256: str(bundle)}
    with pytest.raises(OperatorError, match="another sha256"):
        _read(tmp_path, [{"url": bundle.as_uri(), "sha256": HASH}])
    assert bundle.exists()


def test_without_a_keyring_signatures_are_delivered_as_they_are(tmp_path: Path, bundle: Path) -> None:
    assert _read(tmp_path, [{"src": bundle.name}])[0][0].signature == ""
    bundle.with_name(f"{bundle.name}.sig").write_bytes(b"beside")
    assert base64.b64decode(_read(tmp_path, [{"src": bundle.name}])[0][0].signature) == b"beside"
    (tmp_path / "else.sig").write_bytes(b"elsewhere")
    (plugin,), _ = _read(tmp_path, [{"src": bundle.name, "signature": "else.sig"}])
    assert base64.b64decode(plugin.signature) == b"elsewhere"
    with download_server() as server:
        url = server.offer("/b.sig", b"from afar")
        for _ in range(2):
            (plugin,), _ = _read(tmp_path, [{"src": bundle.name, "signature": url}])
            assert base64.b64decode(plugin.signature) == b"from afar"
        assert len(server.requests) == 1


@pytest.mark.skipif(bool(signing.missing()), reason=f"not installed: {', '.join(signing.missing())}")
def test_signatures_that_are_required(tmp_path: Path, bundle: Path) -> None:
    with signing.signers("ours") as signers, download_server() as server:
        ours = signers["ours"].make()
        (tmp_path / "keys.gpg").write_bytes(ours.public_key())
        options = {"keyring": "keys.gpg", "signatures_required": True}
        with pytest.raises(OperatorError, match="has no signature") as raised:
            _read(tmp_path, [{"src": bundle.name}], **options)
        assert str(bundle) in raised.value.where
        assert "keys.gpg" in raised.value.wanted
        content = ours.sign(bundle, bundle.with_name(f"{bundle.name}.sig")).read_bytes()
        (plugin,), _ = _read(tmp_path, [{"src": bundle.name}], **options)
        assert base64.b64decode(plugin.signature) == content
        assert _read(tmp_path, [{"id": ID, "state": "absent"}], **options)[1] == {}
        with pytest.raises(OperatorError, match="not on the controller"):
            _read(tmp_path, [STORED], **options)
        # A publisher who mends a wrong signature: what was downloaded before is not held against him.
        url = server.offer("/b.sig", b"wrong")
        for requests in (2, 3):
            with pytest.raises(OperatorError, match="not valid"):
                _read(tmp_path, [{"src": bundle.name, "signature": url}], **options)
            assert len(server.requests) == requests
        server.offer("/b.sig", content)
        assert _read(tmp_path, [{"src": bundle.name, "signature": url}], **options)[0] == [plugin]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"signatures_required": True}, "needs keyring"),
        ({"signatures_required": "perhaps"}, "source option is wrong"),
        ({"download_limit": "much"}, "no size"),
        ({"download_timeout": "long"}, "source option is wrong"),
    ],
)
def test_wrong_options(tmp_path: Path, options: Dict[str, Any], problem: str) -> None:
    with pytest.raises(OperatorError, match=problem):
        _read(tmp_path, [], **options)


def test_empty_options_are_none(tmp_path: Path, bundle: Path) -> None:
    nothing = dict.fromkeys(("bundle_directory", "lock", "keyring", "download_ca_path"), "")
    assert _read(tmp_path, [{"src": bundle.name}], **nothing) == _read(tmp_path, [{"src": bundle.name}])


URL = "https://bundles.example.com/plugin.tar.gz"


def _pinned(tmp_path: Path, bundle: Path, url: str = URL, **more: Any) -> Tuple[str, WantedPlugin]:
    """A lock file that pins the bundle, and what the bundle holds."""
    (read,), _ = _read(tmp_path, [{"src": bundle.name}])
    pin = {"version": read.version, "sha256": read.sha256, "url": url, "tree": read.tree, **more}
    path = tmp_path / "plugins.lock.yml"
    path.write_text(json.dumps({"format": 1, "plugins": {ID: pin}}))
    return str(path), read


@pytest.mark.parametrize("entries", [[], [{"id": ID}], [{"id": ID, "url": URL, "sha256": "its"}]])
def test_the_node_downloads_what_the_lock_file_pins(tmp_path: Path, bundle: Path, entries: List[Any]) -> None:
    lock, read = _pinned(tmp_path, bundle)
    entries = [{**entry, "sha256": read.sha256} if "sha256" in entry else entry for entry in entries]
    args = {"plugins": entries, "lock": lock, "fetch": "node", "download_limit": "5M", "download_timeout": None}
    assert take_plugins(args, str) == {}, "nothing is sent"
    assert args.pop("download_limit") == "5M"
    (wanted,) = args.pop("bundles")
    assert args == {}
    assert (wanted["url"], wanted["sha256"], wanted["tree"]) == (URL, read.sha256, read.tree)


@pytest.mark.parametrize(
    ("pin", "options", "problem"),
    [
        ({"tree": ""}, {}, "must be pinned"),
        ({"url": "https://me:secret@bundles.example.com/b"}, {}, "may hold a secret"),
        ({"url": "https://bundles.example.com/b?token=secret"}, {}, "may hold a secret"),
        ({}, {"keyring": "keys.gpg"}, "cannot be verified on the controller"),
    ],
)
def test_what_a_node_cannot_download(
    tmp_path: Path, bundle: Path, pin: Dict[str, str], options: Dict[str, str], problem: str
) -> None:
    lock, _ = _pinned(tmp_path, bundle, **pin)
    with pytest.raises(OperatorError, match=problem) as raised:
        _read(tmp_path, [], lock=lock, fetch="node", **options)
    assert "secret@" not in str(raised.value)
    assert "token" not in str(raised.value)


def test_its_signature_goes_along(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "b.sig").write_bytes(b"\x88signature")
    lock, _ = _pinned(tmp_path, bundle, signature="b.sig")
    args: Dict[str, Any] = {"lock": lock, "fetch": "node"}
    take_plugins(args, str)
    assert base64.b64decode(args["bundles"][0]["signature"]) == b"\x88signature"
