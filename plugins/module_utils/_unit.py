# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.

"""One systemd service as it is: what its unit says, what systemd has loaded, what runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Optional, Tuple

from ._process import Process


@dataclass(frozen=True)
class Service:
    """One systemd service.

    :param name: the unit's own name with its suffix, also where it was asked for by an alias
    :param load_state: systemd's word: ``loaded``, ``not-found``, ``masked``, ``bad-setting`` …
    :param active_state: systemd's word: ``active``, ``inactive``, ``failed`` …; ``unknown`` where systemd does not run
    :param main_pid: 0 where nothing runs
    :param working_directory: effective, as loaded by systemd, or by the files where systemd does not run;
        empty: none is set, the process gets ``/``; ``~``: the home of ``user``
    :param working_directory_optional: written as ``-/path``: the process gets ``/`` where the path is missing
    :param working_directory_origin: host path of the file that sets it, empty where none does
    :param exec_start: the command and its arguments, specifiers and variables of the unit expanded
    :param environment: ``Environment=``, overridden by ``EnvironmentFile=``, less ``UnsetEnvironment=``
    :param environment_origin: variable -> host path of the file that sets it
    :param fragment: host path of the unit file itself
    :param drop_ins: host paths, in the order in which systemd reads them
    :param sandbox: the settings that limit what the process can see and write, as ``systemctl show`` words them
    :param process: the main process, None where nothing runs or systemd does not run
    :param stale: the files have changed since systemd read them (``NeedDaemonReload``)
    """

    name: str
    load_state: str = "loaded"
    active_state: str = "unknown"
    main_pid: int = 0
    working_directory: str = ""
    working_directory_optional: bool = False
    working_directory_origin: str = ""
    user: str = ""
    group: str = ""
    exec_start: Tuple[str, ...] = ()
    environment: Dict[str, str] = field(default_factory=dict)
    environment_origin: Dict[str, str] = field(default_factory=dict)
    fragment: str = ""
    drop_ins: Tuple[str, ...] = ()
    sandbox: Dict[str, str] = field(default_factory=dict)
    process: Optional[Process] = None
    stale: bool = False
