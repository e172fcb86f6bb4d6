# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what ``strace`` wrote: which path each process had the kernel resolve, as whom, and from where.

    lines = traced(command, out)
    hits = led_astray(lines, territories)

A hit is a path that a process with euid 0 had resolved through a directory which another account can write. What is
looked up there must be one name, relative to a descriptor, and no link is followed: then that account can choose what
is found, but not where. The judgement needs no race that is won: the call itself is what is wrong.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import Callable, Dict, FrozenSet, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

# Every call that takes a path, and those that change who a process is and where it runs; "?": not on each machine.
_ALSO = ("clone", "clone3", "fork", "vfork", "setuid", "setreuid", "setresuid", "setfsuid", "fchdir", "bind", "connect")
OPTIONS = (
    "-f",
    "-y",
    "-qq",
    "--seccomp-bpf",
    "--signal=none",
    "--string-limit=4096",
    f"--trace=%file,{','.join(f'?{name}' for name in _ALSO)}",
)
MARK = "/.plugops-oracle"  # a path that does not exist: looking at it begins and ends what counts

_LINE = re.compile(r"(?P<pid>\d+) +(?P<rest>.*)\Z", re.DOTALL)
_UNFINISHED = re.compile(r"(?P<start>.*?) ?<unfinished \.\.\.>\Z", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)\Z", re.DOTALL)
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>\?|-?\w+.*)\Z", re.DOTALL)
_DESCRIPTOR = re.compile(r"(?:AT_FDCWD|\d+)<(?P<path>.*)>(?:\(deleted\))?\Z", re.DOTALL)
# A string, a descriptor with its path (in which strace escapes < and >), whatever else means nothing, one sign.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|(?:AT_FDCWD|\b\d+)<(?:[^<>]|<[^<>]*>)*>|[^"()\[\]{},<\d\w]+|\w+|.', re.DOTALL)
_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPED = {"n": b"\n", "t": b"\t", "r": b"\r", "v": b"\v", "f": b"\f"}
_OF_PROC = re.compile(r"/proc/(?:self|thread-self|\d+)/(?:fd/(?P<number>\d+)|cwd)(?:/(?P<rest>.*))?\Z", re.DOTALL)
_MAX_LINKS = 40
UNKNOWN = "?"  # where a descriptor leads of which the trace does not tell


class Call(NamedTuple):
    """One call of the kernel, as it was finished."""

    pid: int
    name: str
    arguments: List[str]
    result: str

    def failed(self) -> bool:
        return self.result.startswith(("-", "?"))

    def number(self, index: int) -> int:
        return int(self.arguments[index])

    def text(self, index: int) -> Optional[str]:
        """The string in this place; None where it is none."""
        return unquoted(self.arguments[index]) if index < len(self.arguments) else None

    def flags(self, index: int) -> FrozenSet[str]:
        return frozenset(self.arguments[index].split("|")) if index < len(self.arguments) else frozenset()

    def shown(self) -> str:
        return f"{self.name}({', '.join(self.arguments)}) = {self.result}"


@dataclass(frozen=True)
class Territory:
    """What an account that is not trusted can change.

    :param writable: directories in which it can make, rename and remove names
    :param links: every link at hand -> where it leads
    """

    writable: FrozenSet[str] = frozenset()
    links: Mapping[str, str] = field(default_factory=dict)

    def joined(self, other: Territory) -> Territory:
        return Territory(self.writable | other.writable, {**self.links, **other.links})


class Hit(NamedTuple):
    """A path that the account of the territory could have led elsewhere."""

    label: str
    call: Call
    path: str
    through: str

    def __str__(self) -> str:
        return f"{self.call.name} of {self.path!r} through {self.through!r} ({self.label}: {self.call.shown()})"


class UnknownCall(AssertionError):
    """The trace has a call that takes a path and that this reader cannot judge."""


# Reading


def calls(lines: Iterable[str]) -> Iterator[Call]:
    """The calls in the order in which they ended; two halves of one line are put together."""
    begun: Dict[int, str] = {}
    for line in lines:
        found = _LINE.match(line.rstrip("\n"))
        if found is None:
            continue
        pid, rest = int(found["pid"]), found["rest"]
        unfinished = _UNFINISHED.match(rest)
        if unfinished is not None:
            begun[pid] = unfinished["start"]
            continue
        resumed = _RESUMED.match(rest)
        if resumed is not None and pid in begun:
            rest = begun.pop(pid) + resumed["rest"]
        call = _CALL.match(rest)
        if call is not None:
            yield Call(pid, call["name"], arguments_of(call["arguments"]), call["result"])


def arguments_of(text: str) -> List[str]:
    """What the commas part, but not those in strings, structures and the names of descriptors."""
    found: List[str] = []
    current: List[str] = []
    depth = 0
    for token in _TOKENS.findall(text):
        depth += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
        if token == "," and not depth:
            found.append("".join(current).strip())
            current = []
        else:
            current.append(token)
    last = "".join(current).strip()
    return [*found, last] if last or found else []


def unquoted(argument: str) -> Optional[str]:
    """What a quoted string says, bytes as ``os.fsdecode`` has them."""
    if not argument.startswith('"'):
        return None
    return decoded(argument[1 : argument.rindex('"')])


def decoded(text: str) -> str:
    """What strace has escaped."""
    data, at = b"", 0
    for escape in _ESCAPE.finditer(text):
        data += os.fsencode(text[at : escape.start()]) + _one(escape[1])
        at = escape.end()
    return os.fsdecode(data + os.fsencode(text[at:]))


def _one(escape: str) -> bytes:
    if escape[0] == "x":
        return bytes([int(escape[1:], 16)])
    if escape[0] in "01234567":
        return bytes([int(escape, 8) & 0xFF])
    return _ESCAPED.get(escape, os.fsencode(escape))


def named_by(descriptor: str) -> Optional[str]:
    """Which path a descriptor, or AT_FDCWD, stands for, as ``strace -y`` says."""
    found = _DESCRIPTOR.match(descriptor)
    return decoded(found["path"]) if found is not None and found["path"].startswith("/") else None


# What each call does with which path

Follows = Callable[[Call], bool]


class Use(NamedTuple):
    """
    :param path: which argument is the path
    :param base: which one is the descriptor that it is relative to; None: the working directory
    :param follows: whether a link in the last place is followed
    """

    path: int
    base: Optional[int]
    follows: Follows


def _always(call: Call) -> bool:
    return True


def _never(call: Call) -> bool:
    return False


def _unless(index: int, flag: str) -> Follows:
    return lambda call: flag not in call.flags(index)


def _only_with(index: int, flag: str) -> Follows:
    return lambda call: flag in call.flags(index)


def _as_opened(index: int) -> Follows:
    def follows(call: Call) -> bool:
        flags = call.flags(index)
        return "O_NOFOLLOW" not in flags and not {"O_CREAT", "O_EXCL"} <= flags

    return follows


def _as_opened_by_structure(call: Call) -> bool:
    flags = set(re.findall(r"\bO_\w+", call.arguments[2]))
    return "O_NOFOLLOW" not in flags and not {"O_CREAT", "O_EXCL"} <= flags


def _of_plain(follows: Follows, *names: str) -> Dict[str, Tuple[Use, ...]]:
    return {name: (Use(0, None, follows),) for name in names}


def _of_relative(follows: Follows, *names: str) -> Dict[str, Tuple[Use, ...]]:
    return {name: (Use(1, 0, follows),) for name in names}


_NO_LINK = "AT_SYMLINK_NOFOLLOW"
USES: Dict[str, Tuple[Use, ...]] = {
    **_of_plain(_always, "stat", "stat64", "access", "chmod", "chown", "chown32", "truncate", "truncate64", "utime"),
    **_of_plain(_always, "utimes", "chdir", "chroot", "statfs", "statfs64", "execve", "acct", "swapon", "swapoff"),
    **_of_plain(_always, "getxattr", "setxattr", "listxattr", "removexattr", "creat", "uselib"),
    **_of_plain(_never, "lstat", "lstat64", "lchown", "lchown32", "readlink", "unlink", "rmdir", "mkdir", "mknod"),
    **_of_plain(_never, "lgetxattr", "lsetxattr", "llistxattr", "lremovexattr", "oldlstat"),
    "open": (Use(0, None, _as_opened(1)),),
    "openat": (Use(1, 0, _as_opened(2)),),
    "openat2": (Use(1, 0, _as_opened_by_structure),),
    "rename": (Use(0, None, _never), Use(1, None, _never)),
    "renameat": (Use(1, 0, _never), Use(3, 2, _never)),
    "renameat2": (Use(1, 0, _never), Use(3, 2, _never)),
    "link": (Use(0, None, _never), Use(1, None, _never)),
    "linkat": (Use(1, 0, _only_with(4, "AT_SYMLINK_FOLLOW")), Use(3, 2, _never)),
    # What a link says is text; it is looked up by whoever follows it.
    "symlink": (Use(1, None, _never),),
    "symlinkat": (Use(2, 1, _never),),
    **_of_relative(_never, "mkdirat", "mknodat", "unlinkat", "readlinkat"),
    **_of_relative(_unless(3, _NO_LINK), "newfstatat", "fstatat64", "utimensat", "fchmodat2", "faccessat2"),
    **_of_relative(_unless(2, _NO_LINK), "statx"),
    **_of_relative(_unless(4, _NO_LINK), "fchownat", "execveat"),
    # The kernel's calls of these names take no flags.
    **_of_relative(_always, "faccessat", "fchmodat", "futimesat"),
    "name_to_handle_at": (Use(1, 0, _only_with(4, "AT_SYMLINK_FOLLOW")),),
    "inotify_add_watch": (Use(1, None, _unless(2, "IN_DONT_FOLLOW")),),
    "mount": (Use(0, None, _always), Use(1, None, _always)),
    "umount2": (Use(0, None, _unless(1, "UMOUNT_NOFOLLOW")),),
    "umount": (Use(0, None, _always),),
    "pivot_root": (Use(0, None, _always), Use(1, None, _always)),
}
_SOCKET = re.compile(r'sa_family=AF_UNIX, sun_path=(?P<path>"(?:[^"\\]|\\.)*")', re.DOTALL)
_BIRTHS = ("clone", "clone3", "fork", "vfork")
_IDENTITY = ("setuid", "setreuid", "setresuid", "setfsuid")
# Traced, but no path is looked up.
_PATHLESS = {"getcwd", "fchdir", "setgroups", *_BIRTHS, *_IDENTITY}


@dataclass(frozen=True)
class Process:
    """Who a process is.

    :param counts: it is the marked one, or was started by it after the mark
    """

    euid: int = 0
    counts: bool = False


def paths_of(call: Call, opened: Mapping[int, str]) -> List[Tuple[str, Optional[str], bool]]:
    """Each path that the kernel looks up: the path, what it is relative to, whether its last name may be a link.

    :param opened: descriptor -> path, for what is named through /proc
    """
    if call.name in ("bind", "connect"):
        found = _SOCKET.search(call.arguments[1])
        address = unquoted(found["path"]) if found is not None else None
        return [] if not address else [(address, None, call.name == "connect")]
    if call.name not in USES:
        raise UnknownCall(f"nothing is known of this call; add it to USES: {call.shown()}")
    result = []
    for use in USES[call.name]:
        path = call.text(use.path)
        if not path:  # NULL, or "" with AT_EMPTY_PATH: the descriptor itself
            continue
        base = named_by(call.arguments[use.base]) if use.base is not None else None
        follows = use.follows(call) or path.endswith("/")
        result.append(_through_proc(path, base, follows, opened))
    return result


def _through_proc(
    path: str, base: Optional[str], follows: bool, opened: Mapping[int, str]
) -> Tuple[str, Optional[str], bool]:
    """/proc/self/fd/N is a descriptor by another name."""
    found = _OF_PROC.match(path)
    if found is None or found["number"] is None:
        return path, base, follows
    return found["rest"] or "", opened.get(int(found["number"]), UNKNOWN), follows


# Judging


def lookups(path: str, base: str, follows: bool, links: Mapping[str, str]) -> List[str]:
    """The directories in which the kernel looks for a name on its way."""
    rest = _parts(path)
    at = "/" if path.startswith("/") else base
    found: List[str] = []
    followed = 0
    while rest:
        name = rest.pop(0)
        if name == "..":
            found.append(os.path.dirname(at))  # it could be moved away from there at any time
            at = os.path.dirname(at)
            continue
        found.append(at)
        here = os.path.join(at, name)
        target = links.get(here)
        if target is None or not (rest or follows) or followed == _MAX_LINKS:
            at = here
            continue
        followed += 1
        rest = _parts(target) + rest
        at = "/" if target.startswith("/") else at
    return found


def _parts(path: str) -> List[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def through(path: str, base: Optional[str], follows: bool, territory: Territory) -> Optional[str]:
    """The first directory on the way that the account can write; None where it cannot lead the path elsewhere."""
    parts = _parts(path)
    if not path.startswith("/") and len(parts) == 1 and parts != [".."] and not follows:
        return None
    if base == UNKNOWN and parts:
        return UNKNOWN
    ways = lookups(path, base or "/", follows, territory.links)
    return next((directory for directory in ways if directory in territory.writable), None)


def led_astray(lines: Sequence[str], territories: Mapping[str, Territory]) -> List[Hit]:
    """What a process with euid 0 had resolved, between the marks, on a path that another account could have changed.

    :param territories: label of a mark -> what that account could change meanwhile
    """
    finished = list(calls(_between_marks(lines)))
    parents = _parents(finished)
    processes: Dict[int, Process] = {}
    opened: Dict[int, Dict[int, str]] = {}
    label = ""
    hits: List[Hit] = []
    for call in finished:
        process = processes.get(call.pid)
        if process is None:
            process = _born(call.pid, parents, processes)
            opened[call.pid] = dict(opened.get(parents.get(call.pid, 0), {}))
        marked = _mark(call)
        if marked is not None:
            label = marked
            process = replace(process, counts=bool(label))
            processes = {pid: replace(other, counts=False) for pid, other in processes.items()}
        elif label and process.counts and process.euid == 0:
            hits += _judged(call, label, territories[label], opened[call.pid])
        processes[call.pid] = _after(call, process)
        _remember(call, opened[call.pid])
    return hits


def _between_marks(lines: Iterable[str]) -> Iterator[str]:
    """What was traced while a module ran; a test does much more around it."""
    counts = False
    for line in lines:
        if MARK in line:
            yield line
            counts = f"{MARK}/end" not in line
        elif counts:
            yield line


def _judged(call: Call, label: str, territory: Territory, opened: Mapping[int, str]) -> Iterator[Hit]:
    if call.name in _PATHLESS:
        return
    for path, base, follows in paths_of(call, opened):
        directory = through(path, base, follows, territory)
        if directory is not None:
            yield Hit(label, call, os.path.join(base or "", path), directory)


def _mark(call: Call) -> Optional[str]:
    """The label that begins here; empty where one ends."""
    for argument in call.arguments[:2]:
        path = unquoted(argument)
        if path is not None and path.startswith(f"{MARK}/"):
            return path[len(MARK) + 1 :].strip("/") if not path.endswith("/end") else ""
    return None


def _parents(finished: Sequence[Call]) -> Dict[int, int]:
    born = [call for call in finished if call.name in _BIRTHS and not call.failed()]
    return {int(call.result.split()[0].split("<")[0]): call.pid for call in born}


def _born(pid: int, parents: Mapping[int, int], processes: Mapping[int, Process]) -> Process:
    """A child begins as who its parent is; strace tells of its first call before that of its birth has ended."""
    return processes.get(parents.get(pid, 0), Process())


def _after(call: Call, process: Process) -> Process:
    if call.name not in _IDENTITY or (call.failed() and call.name != "setfsuid"):
        return process
    which = {"setuid": 0, "setfsuid": 0, "setreuid": 1, "setresuid": 1}[call.name]
    uid = call.number(which)
    return process if uid == -1 else replace(process, euid=uid)


def _remember(call: Call, opened: Dict[int, str]) -> None:
    number, _, rest = call.result.partition("<")
    if rest and number.isdigit():
        path = named_by(call.result)
        if path is not None:
            opened[int(number)] = path
