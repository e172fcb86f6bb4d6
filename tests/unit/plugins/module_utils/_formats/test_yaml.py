# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain YAML reader against PyYAML: it agrees, or it refuses."""

from __future__ import annotations

import importlib.util
import sys
import time
from typing import Any

import pytest
import yaml
from ansible_collections.plugops.mattermost.plugins.module_utils._formats import yaml as yaml_module
from ansible_collections.plugops.mattermost.plugins.module_utils._formats.plain_yaml import YamlError, read_plain_yaml
from ansible_collections.plugops.mattermost.plugins.module_utils._formats.yaml import (
    KeyTwice,
    read_strict_yaml,
    read_with_pyyaml,
    read_yaml,
)
from hypothesis import example, given
from hypothesis import strategies as st

printable = st.characters(min_codepoint=32, max_codepoint=0x2027, exclude_categories=("Cs", "Cc"))
texts = st.one_of(
    st.text(printable, max_size=30),
    st.sampled_from(
        ["", "~", "null", "1.10", "true", "- a", "a: b", "# no", "http://x/y#z", "it's", "a\nb\n", "\n x\n"]
    ),
)
keys = st.one_of(
    st.sampled_from(["id", "version", "linux-amd64", "bundle_path"]), st.text(printable, min_size=1, max_size=9)
)
trees = st.recursive(
    st.one_of(texts, st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)
manifests = st.dictionaries(keys, trees, max_size=6)
# Pieces out of which short documents are made that stumble over everything at once.
PIECES = [
    "a", "b", "key", "-", "- ", "  ", " ", "\n", "\n", "\n  ", "\n    ", ":", ": ", ": ", "#", " # ", "|", ">", "|-",
    ">+", "|2", "[", "]", "{", "}", ",", ", ", '"', "'", "\\n", "\\u0041", "\\x4", "''", "~", "null", "&a", "*a", "!t ",
    "%", "---", "...", "?", "? ", "<<", "1.10", "é", "\t", "\r\n", "@", "`",
]  # fmt: skip


def base_values(text: str) -> Any:
    """PyYAML's own constructor, every scalar as text: an oracle that shares no code with the readers."""
    return yaml.load(text, Loader=yaml.BaseLoader)


def with_texts_for_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: with_texts_for_nulls(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_texts_for_nulls(item) for item in value]
    return "" if value in (None, "~", "null") else value


@given(manifests)
def test_what_is_plain_is_read(manifest: Any) -> None:
    written = yaml.safe_dump(manifest, default_flow_style=False, width=10_000, allow_unicode=True)
    assert read_with_pyyaml(written) == manifest
    if not any(mark in written for mark in ("? ", "\\\n", "\x7f", "\t")) and not has_folded_text(manifest):
        assert read_plain_yaml(written) == manifest


def has_folded_text(value: Any) -> bool:
    """PyYAML writes a text with line breaks as a quoted one of several lines: beyond the subset."""
    if isinstance(value, dict):
        return any("\n" in key or has_folded_text(item) for key, item in value.items())
    if isinstance(value, list):
        return any(has_folded_text(item) for item in value)
    return isinstance(value, str) and "\n" in value


@given(
    manifests,
    st.sampled_from([None, True, False]),
    st.sampled_from([20, 80, 10_000]),
    st.sampled_from([None, "|", ">", '"', "'"]),
    st.booleans(),
)
def test_agrees_or_refuses(manifest: Any, flow: Any, width: int, style: Any, unicode: bool) -> None:
    written = yaml.safe_dump(manifest, default_flow_style=flow, width=width, default_style=style, allow_unicode=unicode)
    try:
        found = read_plain_yaml(written)
    except YamlError:
        return
    assert with_texts_for_nulls(found) == with_texts_for_nulls(base_values(written))


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
@example("a: [b? c]\n")
@example("a: |\n    \n  b\n")
@example("a: [?|]\n")
def test_agrees_or_refuses_on_broken_text(text: str) -> None:
    try:
        found = read_plain_yaml(text)
    except YamlError:
        found = YamlError
    try:
        wanted = read_with_pyyaml(text)
        assert with_texts_for_nulls(wanted) == with_texts_for_nulls(
            next(iter(yaml.load_all(text, Loader=yaml.BaseLoader)), None)
        )
    except YamlError:
        assert found is YamlError
        return
    assert found is YamlError or found == wanted


HAND_WRITTEN = """\
# A manifest as people write it
---
id: com.example.demo   # the id
name: 'It''s a demo'
"description": "Two\\tparts \\u00e9"
version: 1.10
icon_path:
min_server_version: ~
settings_schema:
    header: |
      First line

        indented
      last
    footer: >-
      folded
      into one

      and a second
    settings:
    - key: Token   # compact
      type: text
      options: [{display_name: "A, b", value: a}, {display_name: B, value: null}]
    -
      key: Other
      help_text: see https://example.com/#top
    - - nested
      - list
server:
  executables: {linux-amd64: server/dist/plugin-linux-amd64, 'windows-amd64': server/dist/plugin.exe}
webapp: {}
props: []
...
ignored: [
"""


def test_hand_written() -> None:
    found = read_plain_yaml(HAND_WRITTEN)
    assert found == read_with_pyyaml(HAND_WRITTEN) == read_plain_yaml(HAND_WRITTEN.replace("\n", "\r\n"))
    assert found["version"] == "1.10"
    assert found["icon_path"] is None
    assert found["description"] == "Two\tparts é"
    assert found["settings_schema"]["header"] == "First line\n\n  indented\nlast\n"
    assert found["settings_schema"]["footer"] == "folded into one\nand a second"
    assert found["settings_schema"]["settings"][0]["options"][1] == {"display_name": "B", "value": None}
    assert found["settings_schema"]["settings"][2] == ["nested", "list"]
    assert found["server"]["executables"]["windows-amd64"] == "server/dist/plugin.exe"
    assert (found["webapp"], found["props"]) == ({}, [])
    assert "ignored" not in found


@pytest.mark.parametrize("header", ["|", ">", "|-", ">-", "|+", ">+", "|2", ">-2", "|+2 # why"])
@pytest.mark.parametrize(
    "end", ["", "\n", "\n\n\n", "\n\nb: c\n", "\n  \nb: c", "\n# no text\nb: c\n", "\n  # text\nb: c"]
)
@pytest.mark.parametrize(
    "body",
    [
        "",
        "  one",
        "  one\n  two",
        "  one\n\n\n  two",
        "\n  one\n   more\n  two",
        "   more\n\n  one",
        "  one\n\n   more",
        "  o \n  #t",
    ],
)
def test_block_scalars(header: str, body: str, end: str) -> None:
    text = f"a: {header}\n{body}{end}"
    try:
        wanted = base_values(text)
    except yaml.YAMLError:
        wanted = YamlError
    try:
        found = read_plain_yaml(text)
    except YamlError:
        found = YamlError if body else wanted  # a block without text may be refused
    assert found == wanted


def test_a_value_of_several_lines_is_called_so() -> None:
    with pytest.raises(YamlError, match="line 2: a value that goes on in the next line"):
        read_plain_yaml("a: b\n  c\nd: e\n")


@pytest.mark.parametrize(
    "text",
    [
        "a: &x b",
        "a: *x",
        "a: !!str b",
        "%YAML 1.1\n---\na: b",
        "a: b\n  c",
        'a: "b\n  c"',
        "<<: {a: b}",
        "? a\n: b",
        "a:\tb",
    ],
)
def test_beyond_the_subset_is_refused_by_line(text: str) -> None:
    with pytest.raises(YamlError, match=r"^line \d"):
        read_plain_yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x b\nb: *y",
        "a: [1",
        "[" * 5000,
        "a:\n" + "".join(" " * depth + "- \n" for depth in range(1, 3000)),
        "&a [*a]",
        "\n".join(["l0: &l0 [x]", *(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))]),
        '"\\ud83d"',
        '"\\UFFFFFFFF"',
        "<<: {a: b}",
        "a: \x07",
    ],
    ids=range(10),
)
@pytest.mark.parametrize("read", [read_plain_yaml, read_with_pyyaml])
def test_hostile_text_is_refused(read: Any, text: str) -> None:
    with pytest.raises(YamlError):
        read(text)


def test_without_pyyaml_the_plain_reader_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_yaml("a: &x b") == {"a": "b"}
    monkeypatch.setitem(sys.modules, "yaml", None)  # makes `import yaml` fail
    spec = importlib.util.spec_from_file_location(
        f"{yaml_module.__package__}.bare_yaml", yaml_module.__file__
    )  # the first one is in use
    assert spec is not None
    assert spec.loader is not None
    bare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bare)
    assert bare.read_yaml("a: 1.10") == {"a": "1.10"}
    with pytest.raises(bare.YamlError):
        bare.read_yaml("a: &x b")


# --- limits


@pytest.mark.parametrize("read", [read_plain_yaml, read_with_pyyaml])
@pytest.mark.parametrize(
    "text",
    ["\n".join(" " * depth + "a:" for depth in range(60)), "a: " + "[" * 60 + "]" * 60, "- " * 60 + "a"],
    ids=["mappings", "flow", "sequences"],
)
def test_what_is_nested_deeper_than_any_manifest_is_refused(read: Any, text: str) -> None:
    with pytest.raises(YamlError, match="nested too deeply"):
        read(text)


@pytest.mark.parametrize(
    "line", ["k{}: |\n", "k{}: |\n  a\n", "k{}: {{a: b}}\n", "k{}: 'v'\n", "k{}: |+\n\n\n", '"k{}":   v # c\n']
)
def test_the_plain_reader_takes_linear_time(line: str) -> None:
    text = "".join(line.format(number) for number in range(100_000))
    started = time.process_time()
    assert len(read_plain_yaml(text)) == 100_000
    assert time.process_time() - started < 8


def test_a_text_that_must_be_one_document_without_twins() -> None:
    assert read_strict_yaml("a: 1.10\nb: [x, {c: ~}]") == {"a": "1.10", "b": ["x", {"c": None}]}
    assert read_strict_yaml("") is None
    for text in ("a: 1\na: 1", "x:\n- b:\n    c: 1\n    c: 2"):
        with pytest.raises(KeyTwice, match=r"^[ac]$"):
            read_strict_yaml(text)
    for text in ("a: 1\n---\nb: 2", "a: [", "a: &x [*x]", "- " * 60 + "a", "? [a]\n: b"):
        with pytest.raises(YamlError):
            read_strict_yaml(text)


def test_what_is_wrong_is_told_without_the_line() -> None:
    with pytest.raises(YamlError) as error:
        read_with_pyyaml("a: b\nroot:$6$SECRET$: : [")
    assert "line 2" in str(error.value)
    assert "SECRET" not in str(error.value)
