# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A unit's files, found, ordered and read as systemd does (systemd.unit(5)), on a host or below a root."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from .._core.errors import OperatorError
from .._host.reading import SYSTEM_FILE_LIMIT, exists, is_file, is_link, names_in, read_file, read_link, status
from .._host.root import Root
from .systemd_unit_syntax import unit_lines

# Where systemd looks for the system manager's units, the first match wins.
SEARCH_PATH = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/generator.late",
)
_MAX_ALIASES = 8


@dataclass(frozen=True)
class Assignment:
    """One ``key=value``: the value and its place (host path, line number from 1)."""

    section: str
    key: str
    value: str
    path: str
    line: int

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class UnitFiles:
    """What a unit's files specify together.

    :param name: the unit's own name, an alias followed
    :param load_state: ``loaded``, ``not-found`` or ``masked``
    :param fragment: host path of the unit file, empty if there is none
    :param drop_ins: host paths in the order in which they are read
    :param assignments: of the unit file, then of the drop-ins
    """

    name: str
    load_state: str
    fragment: str = ""
    drop_ins: Tuple[str, ...] = ()
    assignments: Tuple[Assignment, ...] = ()

    def last(self, section: str, key: str) -> Optional[Assignment]:
        """The assignment that decides a setting of one value; its value is empty where it was reset."""
        found = [a for a in self.assignments if (a.section, a.key) == (section, key)]
        return found[-1] if found else None

    def all(self, section: str, key: str) -> List[Assignment]:
        """The assignments that make up a list; an empty one drops those before it."""
        found: List[Assignment] = []
        for assignment in self.assignments:
            if (assignment.section, assignment.key) == (section, key):
                found = [*found, assignment] if assignment.value else []
        return found


def read_unit_files(name: str, root: Root) -> UnitFiles:
    """Find and read the files of the unit ``name`` (with its suffix) below ``root``.

    :raises OperatorError: a file that is there cannot be read
    """
    own_name, fragment, masked = _find_fragment(name, root)
    if masked:
        return UnitFiles(own_name, "masked", fragment)
    if not fragment:
        return UnitFiles(own_name, "not-found")
    return parse_unit_files(own_name, fragment, find_drop_ins(own_name, root), root)


def parse_unit_files(name: str, fragment: str, drop_ins: Sequence[str], root: Root) -> UnitFiles:
    """Read these files of a unit, in this order; paths are the host's.

    :raises OperatorError: a file cannot be read
    """
    assignments: List[Assignment] = []
    for path in ([fragment] if fragment else []) + list(drop_ins):
        lines = unit_lines(_read(path, root))
        assignments += [Assignment(line.section, line.key, line.value, path, line.number) for line in lines]
    return UnitFiles(name, "loaded", fragment, tuple(drop_ins), tuple(assignments))


def find_drop_ins(name: str, root: Root) -> List[str]:
    """The drop-ins of a unit, in the order in which systemd reads them.

    Sorted by file name regardless of their directory; of several with one name only the first found counts.
    """
    found: Dict[str, str] = {}
    for directory in drop_in_directories(name, root):
        for entry in _listdir(directory, root):
            if entry.endswith(".conf") and not entry.startswith("."):
                path = posixpath.join(directory, entry)
                if _is_null(path, root) or is_file(_real(path, root)):
                    found.setdefault(entry, path)
    return [found[entry] for entry in sorted(found, key=os.fsencode)]


def drop_in_directories(name: str, root: Root) -> List[str]:
    """Where drop-ins of a unit may lie, highest precedence first: its own name and prefixes, its aliases', its type."""
    names = [name, *sorted(_aliases(name, root))]
    result = [f"{place}/{part}.d" for alias in names for place in SEARCH_PATH for part in _names_and_prefixes(alias)]
    return result + [f"{place}/{name.rpartition('.')[2]}.d" for place in SEARCH_PATH]


def similar_units(name: str, root: Root) -> List[str]:
    """Services on this host whose name shares a word with ``name``, for an error message."""
    words = {word for word in name.rsplit(".", 1)[0].replace("@", "-").split("-") if len(word) > 2}
    found: Set[str] = set()
    for directory in SEARCH_PATH:
        for entry in _listdir(directory, root):
            if entry.endswith(".service") and any(word in entry for word in words):
                found.add(entry)
    return sorted(found)


def _find_fragment(name: str, root: Root) -> Tuple[str, str, bool]:
    """The unit's own name, the path of its file ('' if none) and whether it is masked."""
    for _link in range(_MAX_ALIASES):
        alias = ""
        for candidate in (name, _template(name)):
            for directory in SEARCH_PATH if candidate else []:
                path = posixpath.join(directory, candidate)
                real = root.real(path)
                if not exists(real):
                    continue
                if _is_null(path, root):
                    return name, path, True
                alias = _alias_target(path, root)
                if alias == candidate:  # a link to the same unit in another directory: found there
                    alias = ""
                    continue
                if not alias:
                    return name, path, False
                break
            if alias:
                break
        if not alias:
            return name, "", False
        name = _instance_of(alias, name)
    raise OperatorError("the unit's aliases lead in a circle", where=name, remedy="remove the link that points back")


def _alias_target(path: str, root: Root) -> str:
    """The unit that a link inside the search path means; '' for a file, or a link to a file elsewhere."""
    real = root.real(path)
    if not is_link(real):
        return ""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), read_link(real)))
    directories = {root.resolve(directory) for directory in SEARCH_PATH}
    inside = root.resolve(posixpath.dirname(target)) in directories
    return posixpath.basename(target) if inside else ""


def _aliases(name: str, root: Root) -> Set[str]:
    """Other names of the unit: links to it that the search path holds."""
    links: Dict[str, str] = {}
    for directory in SEARCH_PATH:
        for entry in _listdir(directory, root):
            if entry.endswith(".service") and entry not in links:
                links[entry] = _alias_target(posixpath.join(directory, entry), root)
    own = {name, _template(name)} - {""}
    found: Set[str] = set()
    for entry in links:
        target = entry
        for _link in range(_MAX_ALIASES):
            target = links.get(target, "")
            if target in own and entry not in own:
                found.add(_instance_of(entry, name))
    return found


def _template(name: str) -> str:
    """``a@.service`` for ``a@b.service``, '' for a unit that is no instance."""
    stem, _separator, suffix = name.rpartition(".")
    prefix, at, instance = stem.partition("@")
    return f"{prefix}@.{suffix}" if at and instance else ""


def _instance_of(name: str, like: str) -> str:
    """``name``, which may be a template, as the instance that ``like`` is."""
    stem, _separator, suffix = name.rpartition(".")
    prefix, at, instance = stem.partition("@")
    wanted = like.rpartition(".")[0].partition("@")[2]
    return f"{prefix}@{wanted}.{suffix}" if at and not instance else name


def _names_and_prefixes(name: str) -> Iterator[str]:
    """``a-b@c.service``, ``a-b@.service``, ``a-@c.service``, ``a-@.service``: what drop-ins may be made for."""
    yield name
    if _template(name):
        yield _template(name)
    stem, _separator, suffix = name.rpartition(".")
    prefix, at, instance = stem.partition("@")
    shorter = prefix.rstrip("-").rpartition("-")[0]
    if shorter:
        yield from _names_and_prefixes(f"{shorter}-{at}{instance}.{suffix}")


def _is_null(path: str, root: Root) -> bool:
    """Masked: a link to /dev/null, or an empty file."""
    if root.resolve(path) == "/dev/null":
        return True
    real = _real(path, root)
    return is_file(real) and status(real).st_size == 0


def _listdir(directory: str, root: Root) -> Iterable[str]:
    try:
        return names_in(_real(directory, root))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _real(path: str, root: Root) -> str:
    return root.real(root.resolve(path))


def _read(path: str, root: Root) -> bytes:
    if _is_null(path, root):
        return b""
    try:
        return read_file(_real(path, root), SYSTEM_FILE_LIMIT)
    except OSError as error:
        raise OperatorError(
            "a file of the service cannot be read",
            where=path,
            found=error.strerror or str(error),
            remedy="run as root (become), and check that the file exists",
        ) from error
