# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock file: written, read, held against what is wanted."""

from __future__ import annotations

import os
import string
import time
from pathlib import Path
from typing import Any, Dict

import pytest
import yaml
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.wanted import WantedPlugin
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.entry import Entry
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.lock_file import (
    Lock,
    parse_lock,
    read_lock,
    refuse_secret_urls,
)
from hypothesis import given, settings
from hypothesis import strategies as st

PATH = "/srv/mattermost/plugins.lock.yml"
HASH = "ab" * 32

# What YAML reads as something else than text, if it is not quoted.
TRAPS = st.sampled_from(
    ["1.10", "1e5", "0x1f", "yes", "null", "~", "2026-01-01", "12:30:45", "a: b", "#", "- x", "' \""]
)
TEXTS = st.one_of(TRAPS, st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)
IDS = st.text(string.ascii_lowercase + string.digits + "._-", min_size=3, max_size=20).filter(lambda i: i[0] != ".")


def pins() -> st.SearchStrategy[Dict[str, Entry]]:
    present = st.fixed_dictionaries(
        {"version": TEXTS, "sha256": HASHES, "enabled": st.booleans()},
        optional={"tree": HASHES, "signature": TEXTS, "src": TEXTS},
    )
    by_url = st.builds(lambda fields, url: {**fields, "src": "", "url": url}, present, TEXTS)
    absent = st.just({"present": False, "enabled": False})
    return st.dictionaries(IDS, st.one_of(present, by_url, absent), max_size=5).map(
        lambda found: {i: Entry(where=f"{PATH}, {i}", id=i, **fields) for i, fields in found.items()}
    )


@settings(max_examples=40)
@given(pins())
def test_what_is_written_is_read(wanted: Dict[str, Entry]) -> None:
    lock = Lock(PATH, wanted)
    assert parse_lock(lock.text(), PATH).pins == wanted
    assert parse_lock(lock.text(), PATH).text() == lock.text()


@settings(max_examples=40)
@given(pins())
def test_any_reader_of_yaml_reads_the_same(wanted: Dict[str, Entry]) -> None:
    document = yaml.safe_load(Lock(PATH, wanted).text())
    assert list(document["plugins"]) == sorted(wanted)
    for plugin_id, pin in document["plugins"].items():
        assert pin.get("version", "") == wanted[plugin_id].version
        assert pin.get("sha256", "") == wanted[plugin_id].sha256


@settings(max_examples=30)
@given(pins(), st.randoms())
def test_the_order_of_the_plugins_does_not_show(wanted: Dict[str, Entry], chance: Any) -> None:
    items = list(wanted.items())
    chance.shuffle(items)
    assert Lock(PATH, dict(items)).text() == Lock(PATH, wanted).text()


def test_it_says_that_it_is_generated_and_its_rows_do_not_move() -> None:
    pin = Entry(where="", id="com.example.todo", version="1.10", sha256=HASH, tree=HASH, src="bundles/todo.tar.gz")
    gone = Entry(where="", id="com.example.old", present=False, enabled=False)
    text = Lock(PATH, {"com.example.todo": pin, "com.example.old": gone}).text()
    assert text.startswith("# ")
    assert "Generated" in text.splitlines()[0]
    assert text[text.index("---") :] == (
        "---\nformat: 1\nplugins:\n  com.example.old:\n    state: absent\n  com.example.todo:\n"
        f"    version: '1.10'\n    sha256: {HASH}\n    tree: {HASH}\n    src: bundles/todo.tar.gz\n    enabled: true\n"
    )


PIN = f"version: 1.10, sha256: {HASH}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no lock file"),
        ("[]", "no lock file"),
        ("plugins: {}", "no lock file"),
        ("format: 1\nplugins: {}\nmore: 1", "no lock file"),
        ("format: 2\nplugins: {}", "another format"),
        ("format: 1\nplugins: []", "must be a mapping"),
        ("format: 1\nplugins: x", "must be a mapping"),
        ("format: 1\nplugins: {com.example.x: 1}", "must be a mapping"),
        ("format: 1\nplugins: {com.example.x: {version: 1.0.0}}", "needs its version and sha256"),
        (f"format: 1\nplugins: {{com.example.x: {{sha256: {HASH}}}}}", "needs its version and sha256"),
        (f"format: 1\nplugins: {{com.example.x: {{{PIN}, colour: red}}}}", "unknown key"),
        (f"format: 1\nplugins: {{com.example.x: {{{PIN}, id: com.example.y}}}}", "unknown key"),
        (f"format: 1\nplugins: {{com.example.x: {{{PIN}, tree: [x]}}}}", "tree must be a text"),
        (f"format: 1\nplugins: {{com.example.x: {{{PIN}, enabled: perhaps}}}}", "enabled must be"),
        (f"format: 1\nplugins: {{../x: {{{PIN}}}}}", "id"),
        (f"format: 1\nplugins: {{com.x: {{{PIN}}}, COM.X: {{{PIN}}}}}", "com.x twice"),
        (f"format: 1\nplugins:\n  com.x: {{{PIN}}}\n  com.x: {{{PIN}}}", "holds a key twice"),
        (f"format: 1\nplugins:\n  com.x: {{{PIN}, {PIN}}}", "holds a key twice"),
        ("format: 1\nplugins: {", "no YAML"),
        ("\x00", "no YAML"),
    ],
)
def test_no_lock_file(text: str, problem: str) -> None:
    with pytest.raises(OperatorError, match=problem) as raised:
        parse_lock(text, PATH)
    if problem != "id":
        assert PATH in raised.value.where


def test_json_is_a_lock_file_too() -> None:
    text = f'{{"format": 1, "plugins": {{"com.example.x": {{"version": "1.0.0", "sha256": "{HASH}"}}}}}}'
    assert parse_lock(text, PATH).pins["com.example.x"].version == "1.0.0"


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "plugins.lock.yml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OperatorError, match="cannot be read") as raised:
        read_lock(str(path))
    assert raised.value.where == str(path)


def test_paths_are_relative_to_the_lock_file() -> None:
    lock = Lock(PATH)
    assert lock.absolute("bundles/x") == "/srv/mattermost/bundles/x"
    assert lock.absolute("../x") == "/srv/x"
    assert lock.absolute("/x") == "/x"
    assert lock.absolute("https://example.com/x") == "https://example.com/x"
    assert lock.relative("/srv/mattermost/bundles/x") == "bundles/x"
    assert lock.relative("/srv/bundles/x") == "/srv/bundles/x"
    assert lock.relative("/srv/mattermost/..x") == "..x"
    assert lock.relative("https://example.com/x") == "https://example.com/x"
    assert (lock.absolute(""), lock.relative("")) == ("", "")


@given(st.lists(st.sampled_from(["a", "b", "..x", "c d"]), min_size=1, max_size=4).map("/".join))
def test_a_path_comes_back(path: str) -> None:
    lock = Lock(PATH)
    for absolute in (f"/srv/mattermost/{path}", f"/srv/{path}"):
        assert lock.absolute(lock.relative(absolute)) == absolute


WANTED = WantedPlugin(id="com.example.x", version="1.0.0", sha256=HASH)
PINNED = Entry(where=PATH, id="com.example.x", version="1.0.0", sha256=HASH, enabled=True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"version": "1.1.0"}, ["version 1.1.0", "version 1.0.0"]),
        ({"sha256": "cd" * 32}, ["cd" * 32, HASH]),
        ({"enabled": False}, ["enabled False", "enabled True"]),
        ({"present": False, "enabled": False}, ["state absent", "state present"]),
    ],
)
def test_a_contradiction_names_both(change: Dict[str, Any], named: list[str]) -> None:
    lock = Lock(PATH, {PINNED.id: PINNED})
    lock.refuse_contradiction(WANTED, "plugins, entry 1")
    for pin, wanted in (
        (PINNED, WantedPlugin(**{**vars(WANTED), **change})),
        (Entry(**{**vars(PINNED), **change}), WANTED),
    ):
        with pytest.raises(OperatorError, match="contradicts") as raised:
            Lock(PATH, {pin.id: pin}).refuse_contradiction(wanted, "plugins, entry 1")
        assert PATH in raised.value.where
        assert "plugins, entry 1" in raised.value.where
        for value in named:
            assert value in f"{raised.value.found} {raised.value.wanted}"


def test_what_is_not_pinned() -> None:
    with pytest.raises(OperatorError, match=r"does not pin com\.example\.x"):
        Lock(PATH).refuse_contradiction(WANTED, "plugins, entry 1")
    Lock(PATH).refuse_contradiction(WantedPlugin(id="com.example.x", present=False, enabled=False), "plugins")


@pytest.mark.parametrize("key", ["url", "signature"])
def test_no_password_in_a_lock_file(key: str) -> None:
    for value, refused in (("https://u:s3cr3t@h/x", True), ("https://h/x@y", False)):
        pin = Entry(**{**vars(PINNED), key: value})
        if not refused:
            refuse_secret_urls({pin.id: pin})
            continue
        with pytest.raises(OperatorError, match="password") as raised:
            refuse_secret_urls({pin.id: pin})
        assert "s3cr3t" not in str(raised.value)


# --- limits


def lock_of(*lines: str) -> str:
    return "\n".join(["format: 1", "plugins:", *lines, ""])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (lock_of("  a: {}") + "#" * 600_000, "too large"),
        (lock_of("  a: " + "[" * 100_000), "no YAML"),
        (lock_of("  a: " + "- " * 60), "no YAML"),
        (lock_of("  ? [a]\n  : b"), "not a plain text"),
        (lock_of('  "a\\0b": {state: absent}'), "id"),
        (lock_of(f'  abc: {{version: "1", sha256: {HASH}, src: "a\\0b"}}'), "src holds a zero byte"),
        (lock_of(f"  abc: {{version: [1], sha256: {HASH}}}"), "version must be a text"),
        (lock_of("  abc: {enabled: []}"), "enabled must be true or false"),
        (lock_of("  abc: [state]"), "must be a mapping"),
        (lock_of("  abc: {tree: {}}"), "."),
        ("format: 1\nplugins: []", "mapping"),
        ("format: {}\nplugins: {}", "another format"),
        ("[]", "this is no lock file"),
        ("format: 1\nplugins: {}\n---\na: b", "no YAML"),
    ],
)
def test_what_somebody_wrote_to_stumble_over(text: str, told: str) -> None:
    with pytest.raises(OperatorError, match=told) as error:
        parse_lock(text, PATH)
    assert len(str(error.value)) < 2000


def test_many_keys_take_linear_time() -> None:
    text = lock_of("  abc:", *(f"    k{number}: x" for number in range(35_000)))
    started = time.process_time()
    with pytest.raises(OperatorError, match="unknown key"):
        parse_lock(text, PATH)
    assert time.process_time() - started < 12


@pytest.mark.parametrize("url", ["http://[::1", "http://[x]@y", "https://", "http:"])
def test_urls_that_are_none_are_looked_at_for_passwords(url: str) -> None:
    pin = Entry(where=PATH, id="abc", url=url)
    if "@" not in url:
        refuse_secret_urls({"abc": pin})
        return
    with pytest.raises(OperatorError, match="password"):
        refuse_secret_urls({"abc": pin})


def test_a_lock_of_too_large_a_size_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "plugins.lock.yml"
    path.touch()
    for size, told in ((4 * 1024**4, "at most"), (0, "no lock file")):
        os.truncate(path, size)
        with pytest.raises(OperatorError, match=told):
            read_lock(str(path))
