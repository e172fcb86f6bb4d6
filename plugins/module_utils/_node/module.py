# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is the same in every module's main: build the node, ensure the resource, answer Ansible."""

from __future__ import annotations

import contextlib
import traceback
from typing import Any, Callable, ContextManager, Dict, Iterator, Sequence

from ansible.module_utils.basic import AnsibleModule

from .._core.errors import INPUT_ERRORS, OperatorError, kind_and_text, text_of
from .._core.resource import Resource, ensure
from .._core.text import one_line, printable
from .._host.locks import alone
from .node import Node
from .options import SECRET_NODE_OPTIONS, NodeOptions

# Ansible replaces every value of a no_log option anywhere in a result. A plugin setting such as 1 would so turn
# the version 5.36.1 into asterisks. Short values are kept out of results by construction instead.
_SHORTEST_REPLACED = 8


def build_node(module: AnsibleModule) -> Node:
    """The node that the module's options describe, to be used as a context manager: it ends its session."""
    return Node(NodeOptions.from_params(module.params), lambda argv: module.run_command(list(argv)))


@contextlib.contextmanager
def node_to_change(module: AnsibleModule, by_api: bool = False) -> Iterator[Node]:
    """As :func:`build_node`, when nothing else is changing the node.

    :param by_api: the module can work on a node that is reached through its REST API alone

    Where a controller was killed, the module that it had started works on; the next run's must not meet it.
    """
    with build_node(module) as node:
        if not by_api:
            node.refuse_api_only(f"what {module._name} ensures")
        turn: ContextManager[None] = contextlib.nullcontext() if module.check_mode else alone(node.lock_path)
        with turn:
            yield node


def run_resource(
    module: AnsibleModule,
    build: Callable[[Node], Resource[Any]],
    secret_options: Sequence[str] = (),
    by_api: bool = False,
) -> None:
    """Ensure one resource on this node and answer Ansible.

    :param secret_options: names of ``no_log`` options whose values the resource handles
    :param by_api: as for :func:`node_to_change`
    """

    def work() -> Dict[str, Any]:
        with node_to_change(module, by_api) as node:
            resource = build(node)
            outcome = ensure(resource, module.check_mode)
        warn(module, [*node.warnings, *outcome.warnings])
        result = outcome.result()
        result[resource.name] = outcome.facts
        return result

    answer(module, work, secret_options)


def warn(module: AnsibleModule, warnings: Sequence[str]) -> None:
    """Each is one line on the operator's terminal, regardless of the names in it."""
    for warning in warnings:
        module.warn(one_line(warning))


def answer(module: AnsibleModule, work: Callable[[], Dict[str, Any]], secret_options: Sequence[str] = ()) -> None:
    """Exit with what ``work`` returns, or fail with what it raises; secrets in neither."""
    module.no_log_values = {value for value in module.no_log_values if len(value) >= _SHORTEST_REPLACED}
    secrets = [*secret_options, *(name for name in SECRET_NODE_OPTIONS if module.params.get(name))]
    extra: Dict[str, Any] = {}
    if secrets:
        extra["invocation"] = {"module_args": mask(module.params, secrets)}
    result: Dict[str, Any] = {}
    try:
        result = work()
    except OperatorError as error:
        module.fail_json(msg=printable(str(error)), **extra)
    except OSError as error:
        remedy = "see the trace with -vvv, and run as root (become) if a right is missing."
        _fail_with_trace(module, text_of(error), remedy, extra)
    except INPUT_ERRORS as error:
        remedy = "see the trace with -vvv for what was read; something on the node has a form that is not known."
        _fail_with_trace(module, kind_and_text(error), remedy, extra)
    if not module._diff:
        result.pop("diff", None)
    module.exit_json(**{**printable(result), **extra})


def _fail_with_trace(module: AnsibleModule, problem: str, remedy: str, extra: Dict[str, Any]) -> None:
    from .._core.secrets import masked

    msg = f"{one_line(problem)}. What to do: {remedy}"
    module.fail_json(msg=msg, exception=printable(masked(traceback.format_exc())), **extra)


def mask(params: Dict[str, Any], secret_options: Sequence[str]) -> Dict[str, Any]:
    """Parameters as they may be shown."""
    hidden = {option: "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" for option in secret_options if params.get(option)}
    return {**params, **hidden}
