# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What icacls does, for a test machine: wine keeps no lists of access rights, and its own icacls does nothing.

A stand-in, after Microsoft's description of the program and of inheritance ([MS-DTYP] 2.5.3.4): lists of rights lie in
acl.json in the machine's directory; what is inherited is worked out from the directories above. It knows /save, /grant,
/grant:r, /deny, /remove:d, /inheritance:r and e, /t, /c, /l and /q, accounts by name and by identifier. Links
are followed, with /l but for the last name of a path. Windows saves lists as UTF-16, this saves UTF-8: wine's `type`
would end at the first zero. It shares no code with the collection.

Runs as a program of its own beside the prefix of its machine; icacls.c starts it.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

PREFIX = Path(__file__).resolve().parent / "prefix"
STORE = PREFIX.parent / "acl.json"
FULL, MODIFY, READ_EXECUTE = 0x1F01FF, 0x1301BF, 0x1200A9
LETTERS = {"F": FULL, "M": MODIFY, "RX": READ_EXECUTE, "R": 0x120089, "W": 0x100116, "RA": 0x80, "D": 0x10000}
GENERIC = {"GA": FULL, "SDGXGWGR": MODIFY, "GXGR": READ_EXECUTE}
SHORT = {
    "S-1-5-18": "SY",
    "S-1-5-19": "LS",
    "S-1-5-20": "NS",
    "S-1-5-32-544": "BA",
    "S-1-5-32-545": "BU",
    "S-1-5-11": "AU",
    "S-1-1-0": "WD",
    "S-1-5-6": "SU",
}
# An account of the machine, one of a domain, a group managed service account, and the administrator.
ACCOUNTS = {
    "%COMPUTERNAME%\\MM & SÖHNE": "S-1-5-21-11-22-33-1001",
    "CORP\\JÖRG": "S-1-5-21-44-55-66-1102",
    "CORP\\GMSA-MM$": "S-1-5-21-44-55-66-1103",
    "NT-AUTORITÄT\\NETZWERKDIENST": "S-1-5-20",
    "%COMPUTERNAME%\\ADMINISTRATOR": "LA",
}
Entry = List[str]  # kind, flags, rights, account
_TRUSTED_INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
# As Windows has them after its installation: (kind, flags, rights, sid).
SYSTEM: Dict[str, List[Entry]] = {
    "C:\\": [
        ["A", "OICI", "FA", "SY"],
        ["A", "OICI", "FA", "BA"],
        ["A", "OICI", "0x1200a9", "BU"],
        ["A", "OICIIO", "SDGXGWGR", "AU"],
        ["A", "", "LC", "AU"],
    ],
    "C:\\PROGRAM FILES": [
        ["A", "", "FA", _TRUSTED_INSTALLER],
        ["A", "CIIO", "GA", _TRUSTED_INSTALLER],
        ["A", "", "0x1301bf", "SY"],
        ["A", "OICIIO", "GA", "SY"],
        ["A", "", "0x1301bf", "BA"],
        ["A", "OICIIO", "GA", "BA"],
        ["A", "", "0x1200a9", "BU"],
        ["A", "OICIIO", "GXGR", "BU"],
        ["A", "OICIIO", "GA", "CO"],
    ],
    # As somebody has secured it: below C:\\ every account could replace a program.
    "C:\\NSSM": [["A", "OICI", "FA", "SY"], ["A", "OICI", "FA", "BA"], ["A", "OICI", "0x1200a9", "BU"]],
}


class Failed(Exception):
    """What icacls prints, and its exit code."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def real(path: str) -> Path:
    """Where it lies, whatever its case."""
    place = PREFIX / "drive_c"
    for part in [part for part in re.split(r"[\\/]", path[2:]) if part]:
        exact = place / part
        same = [entry for entry in place.iterdir() if entry.name.upper() == part.upper()] if place.is_dir() else []
        place = exact if exact.exists() or not same else same[0]
    return place


def key(path: str) -> str:
    text = path.replace("/", "\\").upper().rstrip("\\").removesuffix("\\.")
    return text + "\\" if len(text) == 2 else text


class Lists:
    def __init__(self) -> None:
        self.own: Dict[str, Dict[str, Any]] = {
            name: {"protected": True, "entries": entries} for name, entries in SYSTEM.items()
        }
        if STORE.exists():
            self.own = json.loads(STORE.read_text(encoding="utf-8"))

    def keep(self) -> None:
        STORE.write_text(json.dumps(self.own), encoding="utf-8")

    def of(self, path: str) -> Dict[str, Any]:
        return self.own.setdefault(key(path), {"protected": False, "entries": []})

    def inherited(self, path: str) -> List[Entry]:
        name = key(path)
        if self.own.get(name, {}).get("protected") or name == "C:\\":
            return []
        above = name.rpartition("\\")[0]
        is_directory = real(path).is_dir()
        found: List[Entry] = []
        for kind, flags, rights, sid in self.all(above + "\\" if len(above) == 2 else above):
            pairs = re.findall("..", flags)
            to_this = ("CI" if is_directory else "OI") in pairs
            if not to_this and not (is_directory and "OI" in pairs and "NP" not in pairs):
                continue
            kept = "".join(pair for pair in pairs if pair in ("OI", "CI")) if "NP" not in pairs else ""
            kept = kept if is_directory else ""
            special = rights in GENERIC or sid == "CO"
            if to_this and not (special and kept):
                found.append([kind, kept + "ID", rights, sid])
            elif to_this:  # one entry that counts here, and the general one for what comes below
                if sid != "CO":
                    found.append([kind, "ID", hex(GENERIC[rights]), sid])
                found.append([kind, kept + "IOID", rights, sid])
            else:
                found.append([kind, kept + "IOID", rights, sid])
        return found

    def all(self, path: str) -> List[Entry]:
        return [*self.own.get(key(path), {"entries": []})["entries"], *self.inherited(path)]

    def sddl(self, path: str) -> str:
        protected = "P" if self.own.get(key(path), {}).get("protected") else ""
        entries = "".join(f"({kind};{flags};{rights};;;{sid})" for kind, flags, rights, sid in self.all(path))
        return f"D:{protected}AI{entries}"

    def add(self, path: str, kind: str, sid: str, flags: str, rights: int) -> None:
        """Into the entry of the same kind, account and flags, as icacls does it; what denies stands first."""
        entries = self.of(path)["entries"]
        flags = flags if real(path).is_dir() else ""
        for entry in entries:
            if entry[0] == kind and entry[1] == flags and entry[3] == sid and entry[2].startswith("0x"):
                entry[2] = hex(int(entry[2], 16) | rights)
                return
        entry = [kind, flags, hex(rights), sid]
        entries.insert(0 if kind == "D" else sum(other[0] == "D" for other in entries), entry)

    def remove(self, path: str, kinds: str, sid: str) -> None:
        entries = self.of(path)["entries"]
        entries[:] = [entry for entry in entries if entry[3] != sid or entry[0] not in kinds]


def identifier(name: str) -> str:
    if name.startswith("*S-1-"):
        return SHORT.get(name[1:], name[1:])
    computer = json.loads((PREFIX.parent / "variables.json").read_text(encoding="utf-8"))["COMPUTERNAME"].upper()
    found = ACCOUNTS.get(re.sub("^" + re.escape(computer) + r"\\", r"%COMPUTERNAME%\\", name.upper()))
    if found is None:
        raise Failed(f"{name}: No mapping between account names and security IDs was done.", 1332)
    return SHORT.get(found, found)


def permission(text: str) -> Tuple[str, str, int]:
    match = re.fullmatch(r"(.+):((?:\((?:OI|CI|IO|NP)\))*)\(?([A-Z]+)\)?", text, re.DOTALL)
    if match is None or match[3] not in LETTERS:
        raise Failed(f'Invalid parameter "{text}"', 87)
    return identifier(match[1]), re.sub("[()]", "", match[2]), LETTERS[match[3]]


def paths_of(pattern: str, recursive: bool) -> List[str]:
    """The paths that a pattern names."""
    if pattern.endswith("\\*"):
        directory = real(pattern[:-2])
        entries = sorted(entry.name for entry in directory.iterdir()) if directory.is_dir() else []
        found = [pattern[:-1] + entry for entry in entries]
    else:
        found = [pattern] if real(pattern).exists() else []
    if not found:
        raise Failed(f"{pattern}: The system cannot find the file specified.", 2)
    if recursive:
        for top in list(found):
            for place, directories, files in os.walk(real(top)):
                inside = os.path.relpath(place, real(top)).replace("/", "\\")
                base = top if inside == "." else f"{top}\\{inside}"
                found += [f"{base}\\{name}" for name in [*directories, *files]]
    return found


def followed(path: str, itself: bool) -> str:
    """Where a path leads to."""
    place = real(path)
    place = place.parent.resolve() / place.name if itself else place.resolve()
    return "\\".join(["C:", *place.relative_to((PREFIX / "drive_c").resolve()).parts]) + ("\\" if len(path) < 4 else "")


def main(words: List[str]) -> None:
    lists = Lists()
    pattern, *rest = words
    flags = {word.lower() for word in rest}
    named = paths_of(pattern, "/t" in flags)
    paths = [followed(path, "/l" in flags) for path in named]
    saved = ""
    while rest:
        option = rest.pop(0).lower()
        if option == "/save":
            found = [(name.rpartition("\\")[2], lists.sddl(path)) for name, path in zip(named, paths)]
            saved, target = "".join(f"{name}\r\n{listed}\r\n" for name, listed in found), rest.pop(0)
            real(target).write_text(saved, encoding="utf-8", newline="")
        elif option in ("/grant", "/grant:r", "/deny"):
            sid, inheritance, rights = permission(rest.pop(0))
            for path in paths:
                if option == "/grant:r":
                    lists.remove(path, "A", sid)
                lists.add(path, "D" if option == "/deny" else "A", sid, inheritance, rights)
        elif option == "/remove:d":
            sid = identifier(rest.pop(0))
            for path in paths:
                lists.remove(path, "D", sid)
        elif option == "/inheritance:r":
            for path in paths:
                lists.of(path)["protected"] = True
        elif option == "/inheritance:e":
            for path in paths:
                lists.of(path)["protected"] = False
        elif option not in ("/t", "/c", "/l", "/q"):
            raise Failed(f'Invalid parameter "{option}"', 87)
        if not saved:
            lists.keep()
    for path in paths if "/q" not in flags else ():
        print(f"processed file: {path}", end="\r\n")
    print(f"Successfully processed {len(paths)} files; Failed processing 0 files", end="\r\n")


if __name__ == "__main__":
    sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
    try:
        main(sys.argv[1:])
    except Failed as failure:
        print(f"{failure}\r\nSuccessfully processed 0 files; Failed processing 1 files", end="\r\n")
        sys.exit(min(failure.code, 255))
