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
  - Ensures that NSSM starts the program of one service in O(path), and touches nothing else of the service.
  - The Mattermost server resolves relative plugin directories against the directory that it runs in. Without
    C(AppDirectory), NSSM takes the directory of the program, C(...\bin), and the server's log says
    C(mkdir ./client/plugins) and C(The system cannot find the path specified).
  - Directories are compared as Windows does, without regard to case, trailing backslashes, forward slashes, quotes, and
    after C(%VARIABLE%) was replaced. Short C(8.3) names and links are not followed.
  - What differs is set with C(nssm set), in one spelling, variables kept as they are written.
  - Fails before any change where the service does not exist, is not managed by NSSM, may not be changed, or where
    the directory is missing.
  - Never restarts the service, see RV(restart_required) and M(plugops.mattermost.nssm_service).
extends_documentation_fragment:
  - plugops.mattermost.windows
  - plugops.mattermost.attributes
options:
  path:
    description:
      - Directory that the program shall run in, absolute. Variables such as C(%ProgramFiles%) are kept.
      - For Mattermost, where its release was unpacked, for example V(c:\mattermost).
    type: str
    required: true
  nssm:
    description:
      - Path of C(nssm.exe) on the host. Needed only where something has to be changed.
      - The default is the one in C(PATH), then the program of the service itself, which for an NSSM service is NSSM.
      - It is started with all rights. So it is refused where its path is not a plain one, or where the account of the
        service may replace it or write beside it, as any account may in a directory that was just made below the root
        of a drive.
    type: str
  must_exist:
    description:
      - Whether it is an error that O(path) does not exist.
      - Say V(false) for a share that is closed to the account of the connection.
    type: bool
    default: true
notes:
  - Works over ssh with cmd.exe (C(ansible_shell_type=cmd)) or PowerShell (C(ansible_shell_type=powershell)), over WinRM
    and over PSRP. The account must be an administrator of the host. O(ignore:become) has no effect.
  - Where a restart will be owed, that is noted below C(HKLM\SOFTWARE\plugops\mattermost) with the id of the process.
seealso:
  - module: plugops.mattermost.nssm_service
  - module: plugops.mattermost.mattermost_service_directory
  - name: NSSM - usage
    description: What AppDirectory is.
    link: https://nssm.cc/usage
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: The server runs in its install directory
  plugops.mattermost.nssm_app_directory:
    path: c:\mattermost
  register: app_directory

- name: It is restarted when it does not
  plugops.mattermost.nssm_service:
    state: restarted
  when: app_directory.restart_required

- name: Another service, and an NSSM that is not in PATH
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
      description: The value in the registry, V(null) where there is none and NSSM takes the program's own directory.
      type: str
      sample: c:\mattermost\bin
    wanted:
      description: The value wanted.
      type: str
      sample: c:\mattermost
    action:
      description: What mends it.
      type: str
      sample: nssm set mattermost AppDirectory c:\mattermost
restart_required:
  description:
    - The service's process runs in another directory than O(path), or will once the difference is mended.
    - NSSM's own record in the event log says where it has started the program. Where that is gone, the module's note
      says whether the process is the one that was there at the change.
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
  description: The service as it is after the run. In check mode, as it was found.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: mattermost
    state:
      description: What the service manager says.
      type: str
      sample: RUNNING
    pid:
      description: The process of NSSM, V(0) where there is none or the system does not tell.
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
      description: The value of AppDirectory, V(null) where there is none.
      type: str
      sample: c:\mattermost
    running_directory:
      description: Where NSSM has last started the program. Empty where its record in the event log is gone.
      type: str
      sample: c:\mattermost
"""
