"""Remove the sandbox: `python -m sandbox.remove`."""

from __future__ import annotations

from pathlib import Path

from sandbox.app_server import remove_sandbox

if __name__ == "__main__":
    remove_sandbox(Path(__file__).resolve().parents[2] / ".sandbox")
