#!/usr/bin/python
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of mattermost_audit_report; the work is done by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mattermost_audit_report
short_description: Make one report of the audits of all app servers
version_added: 0.1.0
description:
  - Takes what M(plugops.mattermost.mattermost_plugin_info) returned on each app server with O(ignore:findings), and
    reports whether the app servers are clean, drifted or broken, what was found, on which of them, and what to do.
  - Writes the report as one page, as JSON, and in the formats JUnit and SARIF for pipelines.
  - Runs on the controller and contacts no host.
extends_documentation_fragment:
  - plugops.mattermost.attributes
attributes:
  action:
    description: Runs on the controller.
    support: full
  check_mode:
    details: In check mode no file is written.
  diff_mode:
    support: none
    details: Its files are reports of a point in time, which they contain.
options:
  reports:
    description:
      - Name of each app server to what M(plugops.mattermost.mattermost_plugin_info) returned there.
      - An app server that could not be reached, or on which the module failed, counts as broken.
    type: dict
    required: true
  directory:
    description:
      - Directory on the controller for C(audit.html), C(audit.json), C(audit.junit.xml) and C(audit.sarif).
      - Relative to the directory in which Ansible was started. If it is empty, no file is written.
    type: str
    default: ""
  fail_on:
    description:
      - The status from which on RV(bad) is true. This module itself never fails because of findings, so that they can
        be shown first.
    type: str
    choices: [never, broken, drift]
    default: never
  formats:
    description: Which of the files are written.
    type: list
    elements: str
    choices: [html, json, junit, sarif]
    default: [html, json, junit, sarif]
seealso:
  - module: plugops.mattermost.mattermost_plugin_info
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Audit each app server
  plugops.mattermost.mattermost_plugin_info:
    findings: true
  become: true
  register: report

- name: Write one report of all app servers
  plugops.mattermost.mattermost_audit_report:
    reports: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'report'))) }}"
    directory: "{{ playbook_dir }}/audit"
  run_once: true
"""

RETURN = r"""
status:
  description:
    - V(clean); V(drift) if something differs from what is wanted or there is a warning; V(broken) if there is an error
      or an app server returned no report.
  returned: success
  type: str
exit_code:
  description: 0, 10 or 20, for the three.
  returned: success
  type: int
bad:
  description: Whether the status is O(fail_on) or worse.
  returned: success
  type: bool
counts:
  description: Severity to number of findings.
  returned: success
  type: dict
nodes:
  description: App server to its status.
  returned: success
  type: dict
findings:
  description:
    - As M(plugops.mattermost.mattermost_plugin_info) returns them, the same finding on several app servers as one.
    - C(nodes) has the evidence of each app server instead of C(evidence).
  returned: success
  type: list
  elements: dict
lines:
  description: The report as text for a terminal.
  returned: success
  type: list
  elements: str
files:
  description: Format to path of the file that was written; in check mode, that would be written.
  returned: success
  type: dict
"""
