# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sshd starts for each command, in the place of Windows: `cmd.exe /c "the command"`, not a character changed.

A command line for wine's cmd.exe cannot be handed over by Linux as it is (quotes would be escaped once more), and
wine's cmd.exe replaces variables after it has read the carets, which Windows does before. So the line goes through a
temporary .cmd file, where wine keeps the order of Windows. One rule differs between a file and a line: in a file a
variable that does not exist is nothing, on a line it stays as it is written. That rule is done here, as cmd.exe does it
first of all on a line; all that comes after (quotes, carets, ampersands, the program's own reading of its arguments)
is wine's.

Runs as a script of its own: python3 shell.py DIRECTORY [/d /s /c "line"], else the line is in SSH_ORIGINAL_COMMAND.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path


def as_file(line: str, variables: dict[str, str]) -> str:
    """The line in the words of a .cmd file."""
    out, rest = "", line
    while True:
        match = re.search("%([^%]+)%", rest)
        if match is None:
            return (out + rest).replace("%", "%%")
        value = variables.get(match[1].upper())
        if value is None:  # its second percent sign may be the first of another name
            out, rest = out + rest[: match.start() + 1], rest[match.start() + 1 :]
        else:
            out, rest = out + rest[: match.start()] + value, rest[match.end() :]


def main(directory: Path, line: str) -> int:
    variables = json.loads((directory / "variables.json").read_text(encoding="utf-8"))
    environment = json.loads((directory / "environment.json").read_text(encoding="utf-8"))
    temporary = directory / "prefix" / "drive_c" / "lines"
    with open(directory / "commands.log", "a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
    handle, name = tempfile.mkstemp(suffix=".cmd", dir=temporary)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
        out.write(f"@{as_file(line, variables)}\r\n")
    try:
        command = ["/usr/lib/wine/wine64", "cmd.exe", "/c", f"C:\\lines\\{os.path.basename(name)}"]
        # Not straight to the client: a service of wine that this starts would keep the connection open.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            done = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, check=False
            )
            for file, stream in ((output, sys.stdout.buffer), (errors, sys.stderr.buffer)):
                file.seek(0)
                stream.write(file.read())
        return done.returncode
    finally:
        os.unlink(name)


if __name__ == "__main__":
    given = " ".join(sys.argv[2:])
    quoted = re.fullmatch(r'/d /s /c "(.*)"', given, re.DOTALL)
    sys.exit(main(Path(sys.argv[1]), quoted[1] if quoted else os.environ.get("SSH_ORIGINAL_COMMAND", "")))
