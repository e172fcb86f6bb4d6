# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML as plugin manifests use it: with PyYAML where it is installed, else a reader of the plain subset.

A stock host has no PyYAML. Both readers give every scalar as the text that was written (``version: 1.10`` is
"1.10", as in the server's Go reader when it fills a text field), null as None, and only the first document.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any, Dict, Iterator

from .plain_yaml import MAX_DEPTH, YamlError, read_plain_yaml, without_halves

try:
    import yaml
except ImportError:  # a stock host
    yaml = None  # type: ignore[assignment]

_MAX_NODES = 100_000  # what nested aliases may grow to


class KeyTwice(YamlError):
    """A key is twice in a mapping, as after a merge: readers take one of them in silence. The text is the key."""


def read_yaml(text: str) -> Any:
    """The first document of ``text`` as dicts with text keys, lists, texts and None.

    :raises YamlError: it cannot be read
    """
    return read_plain_yaml(text) if yaml is None else read_with_pyyaml(text)


def read_with_pyyaml(text: str) -> Any:
    """As :func:`read_yaml`, the whole of YAML 1.1 except merge keys."""
    with _told():
        loader = _loader()(text)
        try:
            node = loader.get_node() if loader.check_node() else None
        finally:
            loader.dispose()
        return None if node is None else _NodeReader().value(node)


def read_strict_yaml(text: str) -> Any:
    """As :func:`read_with_pyyaml`, of a text that is one document, with no key twice.

    :raises YamlError: it cannot be read, or :class:`KeyTwice`
    """
    with _told():
        node = yaml.compose(text, Loader=_loader())
        return None if node is None else _NodeReader(unique=True).value(node)


@functools.lru_cache(maxsize=None)
def _loader() -> Any:
    class Loader(yaml.SafeLoader):
        """Ends at once what is nested too deeply: with each level, PyYAML takes longer for every token."""

        def fetch_flow_collection_start(self, TokenClass: Any) -> None:
            if self.flow_level > MAX_DEPTH:
                raise YamlError("nested too deeply")
            super().fetch_flow_collection_start(TokenClass)

        def add_indent(self, column: int) -> bool:
            if len(self.indents) > MAX_DEPTH + 1:
                raise YamlError("nested too deeply")
            return bool(super().add_indent(column))

    return Loader


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except YamlError:
        raise
    except yaml.MarkedYAMLError as error:
        # Without the line itself, which PyYAML quotes: the file may be none that the reader of messages may see.
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlError(place + ", ".join(part[:100] for part in (error.context, error.problem) if part)) from error
    except yaml.YAMLError as error:
        raise YamlError(" ".join(str(error).split())) from error
    except (RecursionError, ValueError, OverflowError) as error:  # the last two: chr() of an absurd escape
        raise YamlError("nested too deeply" if isinstance(error, RecursionError) else str(error)) from error


class _NodeReader:
    """Takes PyYAML's nodes, not its values: these would turn ``1.10`` into the number 1.1.

    :param unique: refuse a key that is there twice
    """

    def __init__(self, unique: bool = False) -> None:
        self._count = 0
        self._unique = unique

    def value(self, node: Any, depth: int = 0) -> Any:
        self._count += 1
        if self._count > _MAX_NODES:
            raise YamlError("too many aliases")
        if depth > MAX_DEPTH:
            raise YamlError(f"line {node.start_mark.line + 1}: nested too deeply")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        if node.tag == "tag:yaml.org,2002:null":
            return None
        return without_halves(node.value)

    def _mapping(self, node: Any, depth: int) -> Dict[str, Any]:
        found: Dict[str, Any] = {}
        for key_node, item in node.value:
            key = self._key(key_node)
            if self._unique and key in found:
                raise KeyTwice(key)
            found[key] = self.value(item, depth + 1)
        return found

    def _key(self, node: Any) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:merge":
            raise YamlError(f"line {node.start_mark.line + 1}: a key that is not a plain text")
        return without_halves(node.value)
