# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit as one page: no script, nothing from outside, every name and value escaped."""

from __future__ import annotations

import json
import os
from typing import Any, Mapping

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ...module_utils._core.text import safe

_TEMPLATE = "audit.html.j2"


def page(audit: Mapping[str, Any]) -> str:
    """The page, UTF-8. Characters that change the order of a text are escaped, as in every output."""
    environment = Environment(
        loader=FileSystemLoader(os.path.dirname(__file__)),
        autoescape=True,
        finalize=_safe,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = _shown
    return environment.get_template(_TEMPLATE).render(audit=audit)


def _safe(value: Any) -> Any:
    is_markup = hasattr(value, "__html__")  # it came from a filter, which has made it safe
    return safe(value) if isinstance(value, str) and not is_markup else value


def _shown(value: Any) -> str:
    """A value of a difference as an operator reads it."""
    if value is None:
        return "(none)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
