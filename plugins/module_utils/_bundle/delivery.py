# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one file in which bundles are sent to a node. A run that was killed cannot remove its own: the next one does."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
from typing import Optional, Sequence

from .._host.directories import remove_directory
from .._host.reading import is_link, names_in
from .._host.writing import unlink

_PREFIX, _SUFFIX = "plugops-", ".tar"
# Ansible's name for the directories that it makes on hosts.
_DIRECTORIES = "ansible-tmp-*"


def delivery_name(node: Sequence[str], run: str) -> str:
    """The name of the file in which a run sends bundles to a node.

    :param node: what tells nodes apart: several may lie on one machine
    :param run: tells runs apart, as in the run lock
    """
    digest = hashlib.sha256("\n".join(node).encode("utf-8")).hexdigest()
    return f"{_PREFIX}{digest[:16]}-{run}{_SUFFIX}"


def clear_deliveries(delivery: str, holder: Optional[str]) -> None:
    """Remove a delivery that was taken in, and those for the same node that other runs have left beside it.

    :param holder: the run that holds the node's lock; the others' are removed only if it is the one that delivered:
        then nobody else is at work here
    """
    _remove(delivery)
    name = os.path.basename(delivery)
    node, _separator, run = name[: -len(_SUFFIX)].rpartition("-")
    if not name.startswith(_PREFIX) or run != holder:
        return
    place = os.path.dirname(os.path.dirname(delivery))
    for directory in fnmatch.filter(names_in(place), _DIRECTORIES):
        with contextlib.suppress(OSError):
            for other in fnmatch.filter(names_in(os.path.join(place, directory)), f"{node}-*{_SUFFIX}"):
                _remove(os.path.join(place, directory, other))


def _remove(delivery: str) -> None:
    directory = os.path.dirname(delivery)
    if is_link(directory):
        return
    with contextlib.suppress(OSError):
        unlink(delivery)
    if os.path.basename(directory).startswith(_DIRECTORIES[:-1]):
        with contextlib.suppress(OSError):  # there is more in it
            remove_directory(directory)
