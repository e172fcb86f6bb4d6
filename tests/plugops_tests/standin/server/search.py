# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a server looks for its own directories: around the working directory, and from 5.8 around the executable."""

from __future__ import annotations

import os
from typing import Callable, Iterator, Optional

from .versions import Traits


class Search:
    """Looks for `i18n`, `config`, `logs`, `client`, … `Directory` and `ClientDirectory` are never looked for."""

    def __init__(self, traits: Traits, executable: str) -> None:
        self._traits = traits
        self._executable_directory = os.path.dirname(os.path.realpath(executable))

    def directory(self, name: str) -> Optional[str]:
        """The absolute path, or None."""
        return self._first(name, os.path.isdir)

    def config_file(self, name: str) -> Optional[str]:
        """Where a config file of this name is, or would be made; None if there is no place for it."""
        if os.path.isabs(name):
            return name
        for candidate in (os.path.join("config", name), name):
            found = self._first(candidate, os.path.isfile)
            if found:
                return found
        config_directory = self.directory("config")
        return os.path.join(config_directory, name) if config_directory else None

    def _first(self, name: str, is_wanted: Callable[[str], bool]) -> Optional[str]:
        for start in self._starts():
            path = os.path.join(start, name)
            if is_wanted(path):
                return os.path.realpath(path)
        return None

    def _starts(self) -> Iterator[str]:
        levels = [".", "..", "../.."]
        if self._traits.searches_beside_executable:
            levels.append("../../..")
        yield from levels
        if self._traits.searches_beside_executable:
            for level in levels:
                yield os.path.join(self._executable_directory, level)
