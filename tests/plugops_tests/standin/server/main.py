# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the packed server: `mattermost [-c FILE] [--disableconfigwatch] [server|version]`."""

from __future__ import annotations

import os
import pkgutil
import sys
from typing import List, Optional

from .application import Application, StartError
from .search import Search
from .versions import Traits, Version

_DSN_SCHEMES = ("mysql://", "postgres://", "postgresql://")


def main(arguments: Optional[List[str]] = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    packed = pkgutil.get_data(__package__ or "server", "VERSION")
    if packed is None:
        print("no version is packed with this program: build a release first", file=sys.stderr)
        return 1
    traits = Traits(Version.parse(packed.decode().strip()))
    config_name = ""
    watch = True
    words: List[str] = []
    while arguments:
        argument, arguments = arguments[0], arguments[1:]
        if argument in ("-c", "--config"):
            if not arguments:
                print(f"flag needs an argument: {argument}", file=sys.stderr)
                return 1
            config_name, arguments = arguments[0], arguments[1:]
        elif argument.startswith("--config="):
            config_name = argument[len("--config=") :]
        elif argument == "--disableconfigwatch":
            watch = False
        else:
            words.append(argument)
    if words == ["version"]:
        print(f"Version: {traits.version}")
        return 0
    if words not in ([], ["server"]):
        print(f"unknown command {words[0]!r}", file=sys.stderr)
        return 1
    return _serve(traits, config_name, watch)


def _serve(traits: Traits, config_name: str, watch: bool) -> int:
    if not config_name and traits.mm_config:
        config_name = os.environ.get("MM_CONFIG", "")
    config_name = config_name or "config.json"
    if config_name.startswith(_DSN_SCHEMES):
        print(
            "failed to load configuration: the configuration is in a database, and there is none here", file=sys.stderr
        )
        return 1
    search = Search(traits, sys.argv[0])
    path = search.config_file(config_name)
    if path is None:
        print(f"failed to load configuration: failed to find config file {config_name}", file=sys.stderr)
        return 1
    try:
        Application(traits, path, watch, search, os.environ).run()
    except StartError as error:
        print(error, file=sys.stderr, flush=True)
        return error.code
    return 0
