#!/usr/bin/python
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of an action: plugins/action/nssm_service.py does the work, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nssm_service
short_description: Start or restart an NSSM service on Windows
version_added: 0.1.0
description:
  - Starts or restarts one service by NSSM's own commands, and waits until it runs.
  - Removes the record of a required restart, see M(plugops.mattermost.nssm_app_directory).
extends_documentation_fragment:
  - plugops.mattermost.windows
  - plugops.mattermost.attributes
attributes:
  idempotent:
    support: partial
    details: O(state=restarted) restarts each time.
options:
  state:
    description:
      - V(started) starts the service if it does not run; V(restarted) always restarts it.
    type: str
    choices: [started, restarted]
    default: started
  nssm:
    description:
      - Path of C(nssm.exe) on the host. The default is the program of the service itself, as registered.
      - It runs with all rights. So it is refused if its path is not a plain one, or if the account of the service can
        replace it or write beside it, as any account can in a directory that was created below the root of a drive.
    type: str
  timeout:
    description: Seconds within which the service must run.
    type: int
    default: 60
notes:
  - Connections and rights as for M(plugops.mattermost.nssm_app_directory).
seealso:
  - module: plugops.mattermost.nssm_app_directory
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Start the service
  plugops.mattermost.nssm_service:

- name: Restart a service
  plugops.mattermost.nssm_service:
    service: Team Chat
    state: restarted
"""

RETURN = r"""
actions:
  description: What was done, or would be. Empty, or one command.
  returned: success
  type: list
  elements: str
  sample: [nssm restart mattermost]
state_before:
  description: State before the run, according to the service manager.
  returned: success
  type: str
  sample: STOPPED
state:
  description: State after the run, or in check mode as it was found.
  returned: success
  type: str
  sample: RUNNING
pid:
  description: Id of the process of NSSM, V(0) if it does not run or the system does not report it.
  returned: success
  type: int
  sample: 812
"""
