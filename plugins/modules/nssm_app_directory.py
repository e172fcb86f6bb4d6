#!/usr/bin/python
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of an action: plugins/action/nssm_app_directory.py does the work, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nssm_app_directory
short_description: Ensure the AppDirectory of an NSSM service on Windows
version_added: 0.1.0
description:
  - Ensures that NSSM starts the program of one service in O(path), and changes nothing else of the service.
  - The Mattermost server resolves relative plugin directories against the directory that it runs in. Without
    C(AppDirectory), NSSM uses the directory of the program, C(...\bin), and the server's log contains
    C(mkdir ./client/plugins) and C(The system cannot find the path specified).
  - Directories are compared as Windows does, independent of case, trailing backslashes, forward slashes and quotes, and
    with C(%VARIABLE%) expanded. Short C(8.3) names and links are not resolved.
  - A different value is replaced with C(nssm set), in one spelling and without expanding variables.
  - Fails before any change if the service does not exist, is not managed by NSSM or cannot be changed, or if the
    directory is missing.
  - Never restarts the service, see RV(restart_required) and M(plugops.mattermost.nssm_service).
extends_documentation_fragment:
  - plugops.mattermost.windows
  - plugops.mattermost.attributes
options:
  path:
    description:
      - Directory that the program must run in, absolute. Variables such as C(%ProgramFiles%) are kept.
      - For Mattermost, the directory of its release, for example V(c:\\mattermost).
    type: str
    required: true
  nssm:
    description:
      - Path of C(nssm.exe) on the host. Required only if something must be changed.
      - The default is C(nssm.exe) in C(PATH), else the program of the service itself, which for an NSSM service is
        NSSM.
      - It runs with all rights. So it is refused if its path is not a plain one, or if the account of the service can
        replace it or write beside it, as any account can in a directory that was created below the root of a drive.
    type: str
  must_exist:
    description:
      - Whether it is an error if O(path) does not exist.
      - Use V(false) for a share that the account of the connection cannot read.
    type: bool
    default: true
notes:
  - Works over ssh with cmd.exe (C(ansible_shell_type=cmd)) or PowerShell (C(ansible_shell_type=powershell)), over WinRM
    and over PSRP. The account must be an administrator of the host. O(ignore:become) has no effect.
  - If a restart will be required, that is recorded below C(HKLM\SOFTWARE\plugops\mattermost) with the id of the
    process.
seealso:
  - module: plugops.mattermost.nssm_service
  - module: plugops.mattermost.mattermost_service_directory
  - name: NSSM - usage
    description: Meaning of AppDirectory.
    link: https://nssm.cc/usage
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Ensure that the server is started in its install directory
  plugops.mattermost.nssm_app_directory:
    path: c:\mattermost
  register: app_directory

- name: Restart the service if it runs in another directory
  plugops.mattermost.nssm_service:
    state: restarted
  when: app_directory.restart_required

- name: Ensure the directory of another service with an NSSM that is not in PATH
  plugops.mattermost.nssm_app_directory:
    service: Team Chat
    path: '%ProgramFiles%\Team Chat'
    nssm: c:\tools\nssm\win64\nssm.exe
"""

RETURN = r"""
differences:
  description: What differed from what is wanted. Empty, or one entry.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: What differed.
      type: str
      sample: service.AppDirectory
    found:
      description: The value in the registry, V(null) if there is none and NSSM uses the program's own directory.
      type: str
      sample: c:\mattermost\bin
    wanted:
      description: The wanted value.
      type: str
      sample: c:\mattermost
    action:
      description: What fixes it.
      type: str
      sample: nssm set mattermost AppDirectory c:\mattermost
restart_required:
  description:
    - Whether the service's process runs in another directory than O(path), or will once the difference is fixed.
    - NSSM's record in the event log shows where it started the program. If that record no longer exists, the module's
      own record shows whether the process is the one that ran at the change.
  returned: success
  type: bool
reload_required:
  description: Always false, a process keeps its directory when the server reloads its configuration.
  returned: success
  type: bool
pending:
  description: The reasons.
  returned: success
  type: dict
  contains:
    restart:
      description: Why a restart is required.
      type: list
      elements: str
      sample: ["mattermost (pid 812) runs in c:\\mattermost\\bin, wanted c:\\mattermost: restart it"]
    reload:
      description: Always empty.
      type: list
      elements: str
service:
  description: The service as it is after the run, or in check mode as it was found.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: mattermost
    state:
      description: Its state according to the service manager.
      type: str
      sample: RUNNING
    pid:
      description: Id of the process of NSSM, V(0) if it does not run or the system does not report it.
      type: int
      sample: 812
    account:
      description: Account that it runs as.
      type: str
      sample: LocalSystem
    image:
      description: Command line of the service, that is NSSM.
      type: str
      sample: C:\nssm\win64\nssm.exe
    application:
      description: The program that NSSM runs.
      type: str
      sample: c:\mattermost\bin\mattermost.exe
    app_directory:
      description: The value of AppDirectory, V(null) if it is not set.
      type: str
      sample: c:\mattermost
    running_directory:
      description: Directory in which NSSM last started the program. Empty if the event log has no record of it.
      type: str
      sample: c:\mattermost
"""
