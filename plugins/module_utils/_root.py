# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.

"""A host's file system: the live one, or an image or sandbox below a directory."""

from __future__ import annotations

import os
from typing import List, Optional

from ._errors import OperatorError

_MAX_LINKS = 40  # Linux gives up after as many


class Root:
    """Turns the paths of a host into the paths under which this process finds them, and back.

    :param prefix: directory that stands for ``/``; None or ``/`` is the live system
    """

    def __init__(self, prefix: Optional[str] = None) -> None:
        self.prefix = os.path.realpath(prefix) if prefix else "/"

    @property
    def is_live(self) -> bool:
        return self.prefix == "/"

    def real(self, path: str) -> str:
        """Where this process finds the host's absolute ``path``, its last part not followed if it is a link.

        Links on the way are followed as the host would, without leaving the root.
        """
        if self.is_live:
            return path
        parts = _parts(path)
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
            raise OperatorError("this path lies outside the root", where=real, wanted=f"below {self.prefix}")
        return real[len(self.prefix) :]

    def resolve(self, path: str) -> str:
        """The host's ``path`` with every link followed inside the root; a missing rest is kept as it is."""
        if self.is_live:
            return os.path.realpath(path)
        done = "/"
        rest: List[str] = _parts(path)
        links = 0
        while rest:
            part = rest.pop(0)
            if part == "..":
                done = os.path.dirname(done)
                continue
            candidate = os.path.join(done, part)
            real = self._below(candidate)
            if not os.path.islink(real):
                done = candidate
                continue
            links += 1
            if links > _MAX_LINKS:
                raise OperatorError("too many levels of symbolic links", where=path)
            target = os.readlink(real)
            if target.startswith("/"):
                done = "/"
            rest = _parts(target) + rest
        return done

    def _below(self, path: str) -> str:
        return os.path.join(self.prefix, path.lstrip("/")) if path != "/" else self.prefix


def _parts(path: str) -> List[str]:
    return [part for part in path.split("/") if part and part != "."]
