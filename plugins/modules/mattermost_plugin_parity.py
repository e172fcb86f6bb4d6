#!/usr/bin/python
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of mattermost_plugin_parity; the work is done by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mattermost_plugin_parity
short_description: Ensure that the reports of all app servers agree, with each other and with a lock file
version_added: 0.1.0
description:
  - Compares what M(plugops.mattermost.mattermost_plugin_info) returned on each app server, and names the nodes that
    differ, and the files if the reports contain them.
  - Compares the version, the bytes and the state of every installed plugin, the plugin settings in effect and the
    server's version. Paths, processes and times are not compared.
  - If the reports contain them (options C(bundle_digests) and C(fingerprint_key) of
    M(plugops.mattermost.mattermost_plugin_info)), also compares the bytes of bundles and the settings of plugins.
    Settings of plugins are never shown, only which app servers have the same value.
  - What a server writes into C(PluginStates) by itself is not a difference if another one has not written it yet.
  - Runs on the controller and contacts no host.
extends_documentation_fragment:
  - plugops.mattermost.attributes
attributes:
  action:
    description: Runs on the controller.
    support: full
  diff_mode:
    support: none
    details: Changes only the file O(dest).
options:
  reports:
    description: Name of each app server to what M(plugops.mattermost.mattermost_plugin_info) returned there.
    type: dict
    required: true
  lock:
    description:
      - Lock file on the controller, as M(plugops.mattermost.mattermost_plugin_lock) writes it. An app server differs if
        it does not have the pinned plugins, or has others, except those that come with the server.
    type: path
  dest:
    description: File on the controller into which the comparison is written as JSON.
    type: path
  fail:
    description: Whether a difference is a failure.
    type: bool
    default: true
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Report the state of each app server
  plugops.mattermost.mattermost_plugin_info:
    files: true
  become: true
  register: report

- name: Verify that the app servers agree
  plugops.mattermost.mattermost_plugin_parity:
    reports: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'report'))) }}"
  run_once: true
"""

RETURN = r"""
consistent:
  description: Whether all reports agree.
  returned: always
  type: bool
nodes:
  description: The compared app servers.
  returned: always
  type: list
  elements: str
differences:
  description:
    - What differs, each with these keys.
    - C(name), what differs.
    - C(values), app server to value, null if it has none. In Jinja write C(difference['values']), since C(.values) is
      a method of every dictionary.
    - C(odd), the app servers that differ from the majority; all of them if there is no majority.
    - C(files), the files of the plugin that differ, if the reports contain files.
  returned: always
  type: list
  elements: dict
  sample:
    - name: plugins.com.example.todo.version
      values:
        app1: 1.2.0
        app2: 1.1.0
      odd: [app1, app2]
      files: []
"""
