# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings: the table is whole, one cause is one finding, commands are safe to paste, the pages are the table's."""

from __future__ import annotations

import re
import shlex
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._audit import codes
from ansible_collections.plugops.mattermost.plugins.module_utils._audit.codes import CODES, TABLE, FindingCode
from ansible_collections.plugops.mattermost.plugins.module_utils._audit.findings import (
    MOST_OF_A_CODE,
    Findings,
    filled,
    quoted,
)
from hypothesis import given
from hypothesis import strategies as st

from plugops_tests.support.playbooks import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "docs"))
import make_findings

SOURCES = [
    path for utils in ("module_utils", "plugin_utils") for path in (REPOSITORY / "plugins" / utils).rglob("*.py")
]


@pytest.mark.parametrize("kind", TABLE, ids=[kind.code for kind in TABLE])
def test_every_code_says_all_of_it(kind: FindingCode) -> None:
    assert re.fullmatch("[a-z][a-z-]+[a-z]", kind.code)
    assert kind.severity in ("error", "warning", "note")
    for text in (kind.cause, kind.leads_to, kind.remedy):
        assert text.rstrip('"').endswith("."), text
    assert not kind.title.endswith(".")


def test_codes_are_unique_and_each_is_found_by_something() -> None:
    assert len(CODES) == len(TABLE)
    texts = [path.read_text(encoding="utf-8") for path in SOURCES if path.name != "codes.py"]
    assert [code for code in CODES if not any(f'"{code}"' in text for text in texts)] == []


def test_the_pages_are_made_from_the_table() -> None:
    """After a change of the table: python3 docs/make_findings.py"""
    found = {path.name: path.read_text(encoding="utf-8") for path in (REPOSITORY / "docs/findings").iterdir()}
    assert found == make_findings.pages()
    assert {path.removesuffix(".md") for path in found} == {*CODES, "README"}


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_a_value_is_one_word_of_a_command(value: str) -> None:
    assert shlex.split(filled("rm {path}", {"path": quoted(value)})) == ["rm", value]


def test_what_is_not_known_stays_a_placeholder() -> None:
    assert filled("chown {user} {path}", {"user": "", "path": "/a"}) == "chown <user> /a"


def test_a_cause_and_its_lines_are_one_finding() -> None:
    found = Findings()
    found.add("mount-noexec", "/srv/plugins", "/srv/plugins: noexec")
    found.explain("executable-not-executable", ["mount-noexec"], ["com.example.a", "/srv/plugins/a/server"], "a line")
    found.explain("executable-not-executable", ["mount-noexec"], ["com.example.b", "/opt/plugins/b/server"], "other")
    first, second = sorted(found.as_list(), key=lambda item: str(item["code"]), reverse=True)
    assert (first["code"], first["evidence"], first["source"]) == (
        "mount-noexec",
        ["/srv/plugins: noexec", "a line"],
        "disk",
    )
    assert (second["code"], second["subject"], second["source"]) == (
        "executable-not-executable",
        "com.example.b",
        "log",
    )


def test_a_cause_of_the_whole_node_explains_every_line() -> None:
    found = Findings()
    found.add("working-directory-wrong", "", "bin")
    found.explain("directory-missing", ["working-directory-wrong"], ["/opt/mattermost/bin/client/plugins"], "a line")
    assert [item["code"] for item in found.as_list()] == ["working-directory-wrong"]


def test_notes_are_not_made_of_lines_alone() -> None:
    found = Findings()
    found.explain("unmanaged-plugin", [], ["com.example.a"], "Skipping sync for unmanaged plugin")
    assert found.as_list() == []


def test_the_same_twice_is_one_and_evidence_is_kept_short() -> None:
    found = Findings()
    for number in range(20):
        found.add("foreign-owner", "/a", f"file {number}", fixed_by_site=number != 7)
        found.add("foreign-owner", "/a", "file 0", fixed_by_site=True)
    (one,) = found.as_list()
    assert one["evidence"][-1] == "and 12 more"
    assert one["mended_by_site"] is False


def test_the_worst_comes_first() -> None:
    found = Findings()
    for code in ("unmanaged-plugin", "backup-copy", "acl"):
        found.add(code)
    assert [item["severity"] for item in found.as_list()] == ["error", "warning", "note"]


def test_of_a_code_so_many_are_kept_and_the_others_are_counted() -> None:
    found = Findings()
    for number in range(350):
        found.add("foreign-owner", f"/a/{number:03}", "seen")
        found.add("foreign-owner", f"/a/{number:03}", "seen again")
    listed = found.as_list()
    assert len(listed) == MOST_OF_A_CODE + 1
    assert listed[-1]["evidence"] == ["and 250 more of this kind: /a/100, /a/101, /a/102, /a/103, /a/104, ..."]
    assert listed[-1]["severity"] == listed[0]["severity"] == "error"
    assert found.about("/a/349")
    assert len(found.errors()) == MOST_OF_A_CODE


def test_very_many_lines_take_linear_time() -> None:
    found = Findings()
    found.add("disk-full", "", "full")
    started = time.process_time()
    for number in range(20_000):
        found.explain("plugin-start-failed", ["manifest-unreadable"], [f"com.x{number}", f"/p/{number}"], f"l {number}")
        found.explain("disk-full", [], [f"/p/{number}"], f"line {number}")
    assert time.process_time() - started < 10
    full, *failed = found.as_list()
    assert full["evidence"][-1] == "and 19993 more"
    assert failed[-1]["evidence"][0].startswith("and 19900 more of this kind: com.x100,")


def test_what_is_left_out_counts_to_the_cause_that_was_found() -> None:
    found = Findings()
    found.add("mount-noexec", "/srv", "noexec")
    found.leave_out("executable-not-executable", ["mount-noexec"], "com.example.a")
    found.leave_out("unmanaged-plugin", [], "com.example.a")
    assert [(item["code"], item["evidence"]) for item in found.as_list()] == [
        ("mount-noexec", ["noexec"]),
        ("mount-noexec", ["and 1 more of this kind: com.example.a"]),
    ]


def test_nothing_of_a_finding_obeys_a_terminal_or_shows_a_secret_or_has_no_end() -> None:
    found = Findings()
    name = "/plugins/\x1b]0;pwned\x07\u202e\n" + "x" * 5000
    found.add("foreign-owner", name, f"{name} is of postgres://mm:SEKRET99@db", values={"user": "mm\x1b"})
    found.explain("plugin-start-failed", [], ["a" * 5000], "y" * 5000 + " token=SEKRET98")
    for item in found.as_list():
        text = repr(item)
        assert "SEKRET" not in text
        assert all(char.isprintable() for value in item.values() for char in str(value))
        assert len(item["subject"]) <= 320
        assert all(len(seen) <= 1100 for seen in item["evidence"])


def test_the_table_is_read_by_its_path() -> None:
    assert Path(codes.__file__).samefile(make_findings._TABLE)
