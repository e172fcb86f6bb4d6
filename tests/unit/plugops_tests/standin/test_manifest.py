# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's small YAML reader, against PyYAML, on manifests of every shape that the fixtures can make."""

from __future__ import annotations

from typing import Any, Dict

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from plugops_tests.standin.server.manifest import id_is_valid, parse_manifest, parse_yaml
from plugops_tests.standin.server.versions import Traits, Version
from plugops_tests.support.bundles import encode_manifest

_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f\x85"), max_size=12)
_SCALAR = st.one_of(_TEXT, st.booleans(), st.none())
_KEY = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
_VALUE = st.recursive(
    st.one_of(_SCALAR, st.lists(_TEXT, max_size=3)),
    lambda inner: st.dictionaries(_KEY, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(_KEY, _VALUE, min_size=1, max_size=5))
def test_reads_what_pyyaml_reads(manifest: Dict[str, Any]) -> None:
    text = encode_manifest(manifest, "plugin.yml").decode()
    assert yaml.safe_load(text) == manifest
    assert parse_yaml(text) == manifest


@pytest.mark.parametrize(
    "text",
    [
        "# comment\n---\nid: a.plugin   # tail\nname: 'it''s'\nserver:\n  executables:\n    linux-amd64: server/a\n",
        'id: "quoted: #"\nlist:\n- one\n- "two"\nempty:\nnested: {"a": [1, 2]}\n',
        "settings_schema:\n  settings:\n    - key: Url\n      type: text\n    - key: Token\n  footer: x\n",
    ],
)
def test_reads_what_people_write(text: str) -> None:
    assert parse_yaml(text) == yaml.safe_load(text)


@pytest.mark.parametrize("text", ["id: a\nb\n", "id: a\n   name: b\n", '{"id": "a"'])
def test_refuses_what_pyyaml_refuses(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load(text)
    with pytest.raises(ValueError, match=r".+"):
        parse_yaml(text)


@pytest.mark.parametrize("text", ['["a"]', '{"id": 5}', '{"id": "a", "webapp": "x"}', "{"])
def test_manifest_must_have_the_shape(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_manifest(text, "plugin.json")


@pytest.mark.parametrize(
    ("version", "plugin_id", "expected"),
    [
        ((4, 4, 0), "", True),
        ((4, 6, 0), "x", True),
        ((4, 6, 0), "x" * 191, False),
        ((4, 10, 0), "ab", False),
        ((5, 1, 0), "a b c", True),
        ((5, 2, 0), "a b c", False),
        ((5, 2, 0), "ab", False),
        ((5, 2, 0), "a-b_c.d", True),
        ((11, 6, 0), "abc\n", False),
        ((11, 6, 0), "x" * 190, True),
    ],
)
def test_id_rules(version: Any, plugin_id: str, expected: bool) -> None:
    assert id_is_valid(plugin_id, Traits(Version(*version))) is expected
