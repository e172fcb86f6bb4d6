# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""What is the same in every module's main: build the node, ensure the concern, answer Ansible."""

from __future__ import annotations

import traceback
from typing import Any, Callable, Dict, Sequence

from ansible.module_utils.basic import AnsibleModule

from ._ensure import Concern, ensure
from ._errors import OperatorError
from ._node import Node, NodeOptions

# Ansible replaces every value of a no_log option anywhere in a result. A plugin setting such as 1 would so turn
# the version 5.36.1 into asterisks. Short values are kept out of results by construction instead.
_SHORTEST_REPLACED = 8


def build_node(module: AnsibleModule) -> Node:
    """The node that the module's options describe."""
    return Node(NodeOptions.from_params(module.params), lambda argv: module.run_command(list(argv)))


def run_concern(
    module: AnsibleModule, build: Callable[[Node], Concern[Any]], secret_options: Sequence[str] = ()
) -> None:
    """Ensure one concern on this node and answer Ansible.

    :param secret_options: names of ``no_log`` options whose values the concern handles
    """

    def work() -> Dict[str, Any]:
        concern = build(build_node(module))
        outcome = ensure(concern, module.check_mode)
        for warning in outcome.warnings:
            module.warn(warning)
        result = outcome.result()
        result[concern.name] = outcome.facts
        return result

    answer(module, work, secret_options)


def answer(module: AnsibleModule, work: Callable[[], Dict[str, Any]], secret_options: Sequence[str] = ()) -> None:
    """Exit with what ``work`` returns, or fail with what it raises; secrets in neither."""
    module.no_log_values = {value for value in module.no_log_values if len(value) >= _SHORTEST_REPLACED}
    extra: Dict[str, Any] = {}
    if secret_options:
        extra["invocation"] = {"module_args": mask(module.params, secret_options)}
    result: Dict[str, Any] = {}
    try:
        result = work()
    except OperatorError as error:
        module.fail_json(msg=str(error), **extra)
    except OSError as error:
        module.fail_json(
            msg=f"{error.strerror or error} ({error.filename or 'no path'}). What to do: see the trace with -vvv, "
            "and run as root (become) if a right is missing.",
            exception=traceback.format_exc(),
            **extra,
        )
    if not module._diff:
        result.pop("diff", None)
    module.exit_json(**{**result, **extra})


def mask(params: Dict[str, Any], secret_options: Sequence[str]) -> Dict[str, Any]:
    """Parameters as they may be shown: an option may be named ``outer.inner``."""
    shown = dict(params)
    for option in secret_options:
        outer, _, inner = option.partition(".")
        if inner and isinstance(shown.get(outer), dict):
            shown[outer] = mask(shown[outer], [inner])
        elif not inner and shown.get(outer):
            shown[outer] = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    return shown
