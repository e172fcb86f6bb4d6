# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of strangers: nothing that a terminal obeys, no secret, in linear time, and an operator's own text as it was."""

from __future__ import annotations

import json
import os
import re
import time
import unicodedata
from typing import Callable

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.secrets import MASK, masked
from ansible_collections.plugops.mattermost.plugins.module_utils._core.text import in_lines, one_line, printable, safe
from hypothesis import given
from hypothesis import strategies as st

ANY_TEXT = st.text(st.characters(exclude_categories=()))
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SEKRET = "S3kretW0rd9"


@given(ANY_TEXT)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    for shown, kept in ((safe(text), "\t\n"), (one_line(text), "")):
        assert [char for char in shown if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")] == [
            char for char in shown if char in kept
        ]
        assert not set(shown) & set(BIDI)
        shown.encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_other_text_stays_as_it_is(text: str) -> None:
    assert one_line(text) == safe(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;pwned\x07\x1b[31m", r"\x1b]0;pwned\x07\x1b[31m"),
        ("a\x7f\x9b\x00", r"a\x7f\x9b\x00"),
        ("client/\u202eplugins\u2069", r"client/\u202eplugins\u2069"),
        ("a\u2028b\u2029c\u061cd", r"a\u2028b\u2029c\u061cd"),
        (os.fsdecode(b"p\xff"), r"p\xff"),
        ("half \ud800", r"half \ud800"),
        ("ok\r\nfatal: [app1]", "ok\\r\nfatal: [app1]"),
    ],
)
def test_escapes_are_visible(text: str, shown: str) -> None:
    assert safe(text) == shown
    assert one_line(text) == shown.replace("\n", r"\n")


@given(st.binary(max_size=8), st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=8))
def test_names_of_any_bytes_are_answered_as_utf_8(name: bytes, text: str) -> None:
    odd = os.fsdecode(name)
    shown = printable({odd: [odd, (text, "\ud800"), 1, None]})
    ((key, (in_list, (unchanged, half), one, nothing)),) = shown.items()
    json.dumps(shown, ensure_ascii=False).encode("utf-8")
    assert key == in_list == safe(odd)
    assert (unchanged, half, one, nothing) == (text, "\\ud800", 1, None)


def test_an_operators_own_lines_stay_lines_and_a_strangers_do_not() -> None:
    value = {"settings": ["first\n\tsecond\n"]}
    assert printable(value) == value
    assert in_lines(value) == {"settings": [r"first\n\tsecond\n"]}


def test_a_line_is_cut() -> None:
    assert one_line("a" * 50, 10) == "aaaaaaa..."
    assert one_line("a" * 10, 10) == "a" * 10


@pytest.mark.parametrize(
    "text",
    [
        "dial postgres://mmuser:{}@db/mm failed",
        "mysql://mmuser:{}@tcp(db:3306)/mattermost",
        "mmuser:{}@tcp(db:3306)/mattermost?charset=utf8mb4",
        "mmuser:p@ss{}@unix(/run/db.sock)/mm",
        "postgres://mmuser:p@ss/{}@db/mm",
        "https://{}@sentry.example.com/1",
        "Authorization: Bearer {}",
        "Authorization: Basic {}",
        "authorization: {}",
        "using bearer {} failed",
        "X-Auth-Token: {}",
        "Set-Cookie: MMAUTHTOKEN={}; Path=/; other={}",
        "GET https://h/x?page=1&token={}&y=1",
        "host=db user=mm password={} dbname=mm",
        "host=db password='two {}' dbname=mm",
        "password: {}",
        '{{"token":"{}","x":1}}',
        '{{"Password" : "a\\"{}"}}',
        r"{{\"client_secret\":\"{}\"}}",
        "{{'api_key': '{}'}}",
        '"Secrets": ["a", "{}"]',
        "map[token:{} x:1]",
        "AWS_SECRET_ACCESS_KEY={}",
        "-----BEGIN RSA PRIVATE KEY-----\nMII{}\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_secrets_are_masked(text: str) -> None:
    shown = masked(text.format(SEKRET, SEKRET))
    assert SEKRET not in shown
    assert MASK in shown
    assert masked(shown) == shown


@pytest.mark.parametrize(
    "token", ["AKIAIOSFODNN7EXAMPLE", "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "ghp_" + "a1" * 15]
)
def test_tokens_are_known_by_their_form(token: str) -> None:
    assert masked(f"sent {token}, refused") == f"sent {MASK}, refused"


@pytest.mark.parametrize(
    "text",
    [
        "failed to get token: connection refused",
        "open /etc/secret: permission denied",
        "com.example.password-manager: fork/exec /opt/mattermost11/plugins/x: permission denied",
        "Login failed because of invalid password.",
        "basic authentication failed",
        "https://app1.example.com:8065/api/v4/plugins answers 501",
        "mkdir ./client/plugins: no such file or directory",
        "mail to admin@example.com",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masked(text) == text


PIECES = st.lists(
    st.sampled_from(
        ["token", "=", ":", " ", '"', "'", "\\", "://", "@", "a", "7", "/", "bearer ", "[", "}", "eyJ", ".", "\n", "&"]
    ),
    max_size=40,
).map("".join)


@given(PIECES | ANY_TEXT)
def test_any_text_can_be_masked_and_the_same_again(text: str) -> None:
    assert masked(masked(text)) == masked(text)


def _seconds(work: Callable[[str], object], text: str) -> float:
    started = time.process_time()
    work(text)
    return time.process_time() - started


UNITS = ["token=", 'token:"', "://", "a@", "://a:", "bearer ", "token: ", "eyJ", "eyJ-", "\\", "token[", "password "]
UNITS += [
    'token=\\"',
    "cookie: ",
    "-----BEGIN PRIVATE KEY-----",
    "AKIA",
    "token\\\\\\",
    "token : ",
    "@tcp(",
    "\x1b",
    "x",
]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("work", [masked, one_line, safe])
def test_time_grows_with_the_text_and_no_faster(work: Callable[[str], object], unit: str) -> None:
    """Half a megabyte: what is quadratic takes minutes."""
    assert _seconds(work, (unit * 500_000)[:500_000]) < 5


def test_masked_text_keeps_what_an_operator_needs() -> None:
    shown = masked(f"dial postgres://mmuser:{SEKRET}@db.example.com:5432/mm?sslmode=disable: timeout")
    assert shown == f"dial postgres://mmuser:{MASK}@db.example.com:5432/mm?sslmode=disable: timeout"
    assert re.search(r"db\.example\.com", shown)
