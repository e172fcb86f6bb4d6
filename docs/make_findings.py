#!/usr/bin/env python3
# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/findings from the table that the reports are made from: run it after a change of _audit/codes.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any, Dict

_HERE = Path(__file__).resolve().parent
_TABLE = _HERE.parent / "plugins" / "module_utils" / "_audit" / "codes.py"
_MEANINGS = {
    "error": "a plugin, or all of them, does not work, now or at the server's next start",
    "warning": "it works, and something is not as it should be",
    "note": "worth knowing; no fault",
}


def table() -> Any:
    """The module with the table, loaded by its path, so that nothing has to be installed."""
    spec = importlib.util.spec_from_file_location("codes", _TABLE)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{_TABLE} cannot be read")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def pages() -> Dict[str, str]:
    """File name -> text."""
    kinds = table().TABLE
    made = {f"{kind.code}.md": page(kind) for kind in kinds}
    lines = ["# Findings", "", "What `audit.yml` can find, by part of the app server. The codes are stable.", ""]
    for area in dict.fromkeys(kind.area for kind in kinds):
        lines += [f"## {area.capitalize()}", "", "| code | severity | what | site.yml fixes it |", "|---|---|---|---|"]
        for kind in kinds:
            if kind.area == area:
                fixed = "yes" if kind.fixed_by_site else "no"
                lines.append(f"| [{kind.code}]({kind.code}.md) | {kind.severity} | {kind.title} | {fixed} |")
        lines.append("")
    made["README.md"] = "\n".join(lines)
    return made


def page(kind: Any) -> str:
    """The text of one finding's page."""
    parts = [
        f"# {kind.code}",
        f"**{kind.title}.** Severity: {kind.severity} ({_MEANINGS[kind.severity]}). Part: {kind.area}.",
        f"**Cause.** {kind.cause}",
        f"**Leads to.** {kind.leads_to}",
        f"**What to do.** {kind.remedy}",
    ]
    if kind.command:
        parts.append(f"```\n{kind.command}\n```")
    if "{" in kind.remedy + kind.command:
        parts.append("The report fills in what is in braces.")
    by = "`site.yml` fixes it." if kind.fixed_by_site else "`site.yml` does not fix it."
    return "\n\n".join([*parts, f"{by} [All findings](README.md)"]) + "\n"


def main() -> None:
    """Write every page, and remove those of codes that are gone."""
    directory = _HERE / "findings"
    directory.mkdir(exist_ok=True)
    made = pages()
    for old in directory.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
