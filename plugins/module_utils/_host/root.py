# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host's file system: the live one, or an image or sandbox below a directory."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
from typing import List, Optional

from .._core.errors import OperatorError
from .paths import UntrustedLink, parts_of, resolve
from .reading import exists, names_in

_WILD = re.compile(r"[*?\[]")


class Root:
    """Turns the paths of a host into the paths under which this process finds them, and back.

    :param prefix: directory that is its ``/``; None or ``/`` is the live system
    """

    def __init__(self, prefix: Optional[str] = None) -> None:
        self.prefix = resolve(prefix) if prefix else "/"

    @property
    def is_live(self) -> bool:
        return self.prefix == "/"

    def real(self, path: str) -> str:
        """Where this process finds the host's absolute ``path``, its last part not followed if it is a link.

        Links in the path are followed as the host would, without leaving the root.
        """
        if self.is_live:
            return path
        parts = parts_of(path)
        if not parts or parts[-1] == "..":
            return self._below(self.resolve(path))
        parent = self.resolve("/".join(parts[:-1]))
        return self._below(os.path.join(parent, parts[-1]))

    def host(self, real: str) -> str:
        """The host's name of a path of this process."""
        if self.is_live:
            return real
        if real == self.prefix:
            return "/"
        if not real.startswith(self.prefix + "/"):
            raise OperatorError(
                "this path lies outside the root",
                where=real,
                wanted=f"below {self.prefix}",
                remedy="correct the path, or root",
            )
        return real[len(self.prefix) :]

    def resolve(self, path: str) -> str:
        """The host's ``path`` with every link followed inside the root; a missing rest is kept as it is.

        :raises OperatorError: a link in the path is not root's, or there are too many
        """
        try:
            return resolve(path, self.prefix)
        except UntrustedLink as link:
            raise OperatorError(
                "a link in this path is not followed: its owner could lead root anywhere",
                where=path,
                found=f"{link.filename}: {link.strerror}",
                remedy=f"check where it leads; if that is right, make root its owner: "
                f"chown -h root: {shlex.quote(link.filename)}",
            ) from link
        except OSError as error:
            raise OperatorError(
                "this path cannot be followed",
                where=path,
                found=error.strerror or str(error),
                remedy="check the links in it",
            ) from error

    def matching(self, pattern: str) -> List[str]:
        """Host paths that fit a glob(7) pattern, sorted; what cannot be looked into is left out."""
        found = ["/"]
        for part in parts_of(pattern):
            found = [path for directory in found for path in self._children(directory, part)]
        return found

    def _children(self, directory: str, pattern: str) -> List[str]:
        if not _WILD.search(pattern):
            path = os.path.join(directory, pattern)
            return [path] if exists(self.real(path)) else []
        hidden = pattern.startswith(".")
        try:
            names = names_in(self.real(self.resolve(directory)))
        except (OSError, OperatorError):
            return []
        names = [name for name in names if hidden or not name.startswith(".")]
        return [os.path.join(directory, name) for name in sorted(fnmatch.filter(names, pattern))]

    def _below(self, path: str) -> str:
        return os.path.join(self.prefix, path.lstrip("/")) if path != "/" else self.prefix
