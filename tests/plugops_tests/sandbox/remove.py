"""Remove the sandbox: `python -m plugops_tests.sandbox.remove`."""

from __future__ import annotations

from pathlib import Path

from plugops_tests.sandbox.app_server import remove_sandbox

if __name__ == "__main__":
    remove_sandbox(Path(__file__).resolve().parents[3] / ".sandbox")
