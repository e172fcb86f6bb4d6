# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of variables that are close to a documented one and not the same."""

from __future__ import annotations

DOCUMENTATION = r"""
name: misspelt_variables
short_description: Find misspelt variables of this collection's roles
version_added: 0.1.0
description:
  - Compares the names of all variables of the hosts that begin with C(mattermost_) with those in the argument specs of
    this collection's roles. Results of tasks and facts of hosts are left out.
  - Also compares the variables of the play and the task that use the lookup.
  - Warns once of the names that are close to no documented one. To suppress the warning, add the names to the variable
    C(mattermost_known_variables).
options:
  _terms:
    description: Names of hosts.
    type: list
    elements: str
author:
  - plugops contributors (@plugops)
"""

EXAMPLES = r"""
- name: Check the names of the variables
  ansible.builtin.assert:
    that: misspelt | length == 0
    fail_msg: "{{ misspelt | join(', ') }}"
  vars:
    misspelt: "{{ query('plugops.mattermost.misspelt_variables', *ansible_play_hosts) }}"
  run_once: true
"""

RETURN = r"""
_raw:
  description: For each misspelt variable, which hosts have it and which documented variable it resembles.
  type: list
  elements: str
"""

from typing import Any, Dict, List, Optional

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ..module_utils._core.errors import OperatorError
from ..module_utils._core.text import one_line
from ..plugin_utils._play.variable_names import NameCheck, operators_names

_ALLOWED = "mattermost_known_variables"


class LookupModule(LookupBase):
    """One call for all hosts of a play."""

    def run(self, terms: List[str], variables: Optional[Dict[str, Any]] = None, **kwargs: Any) -> List[str]:
        self.set_options(var_options=variables, direct=kwargs)
        own = variables or {}
        hostvars = own["hostvars"]
        allowed = {name for names in self._allowed(terms, own) for name in names}
        try:
            check = NameCheck(allowed)
        except OperatorError as error:
            raise AnsibleLookupError(str(error)) from error
        of_play = set(operators_names(own)) - set(operators_names(self._of_host(own)))
        for host in terms:
            check.add(host, sorted({*operators_names(hostvars.raw_get(host)), *of_play}))
        if check.others():
            Display().warning(
                f"No role of plugops.mattermost has a variable {one_line(', '.join(check.others()))}. If it belongs to "
                f"something else, add its name to {_ALLOWED}."
            )
        return [one_line(message) for message in check.misspelt()]

    def _of_host(self, own: Dict[str, Any]) -> Dict[str, Any]:
        """The variables of the host that the lookup runs for; the rest are the play's, and so of all its hosts."""
        return dict(own["hostvars"].raw_get(own["inventory_hostname"]))

    def _allowed(self, hosts: List[str], own: Dict[str, Any]) -> List[List[str]]:
        """The operator's list, of the play and of each host."""
        of_hosts = [own["hostvars"][host].get(_ALLOWED) for host in hosts]
        return [names for names in [self._templar.template(own.get(_ALLOWED)), *of_hosts] if names]
