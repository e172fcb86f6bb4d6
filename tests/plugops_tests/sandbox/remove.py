# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove the sandbox: `python -m plugops_tests.sandbox.remove`."""

from __future__ import annotations

from pathlib import Path

from plugops_tests.sandbox.app_server import remove_sandbox

if __name__ == "__main__":
    remove_sandbox(Path(__file__).resolve().parents[3] / ".sandbox")
