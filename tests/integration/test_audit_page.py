# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of an audit in a real browser: it runs and fetches nothing, fits a phone and a desk, and can be printed."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
from pathlib import Path
from typing import List

import pytest
from ansible_collections.plugops.mattermost.plugins.plugin_utils._reports.audit import audit_of
from ansible_collections.plugops.mattermost.plugins.plugin_utils._reports.audit_page import page

from plugops_tests.support import audit_reports
from plugops_tests.support.audit_reports import HOSTILE

pytestmark = pytest.mark.slow

# Longer than any name that could be broken at a dot.
LONG = "com.example." + "a" * 150
# A window has a least width, a frame in it has none.
FRAME = """<!DOCTYPE html><iframe id="f" style="border:0;width:{width}px;height:2000px"></iframe><script>
const f = document.getElementById("f");
f.onload = () => {{
  const d = f.contentDocument.documentElement;
  const outside = e => e.getBoundingClientRect().right > {width} && !e.closest(".scroll");
  const wide = [...d.querySelectorAll("*")].filter(outside);
  document.documentElement.dataset.measured = `${{d.scrollWidth}} ${{d.clientWidth}}`;
  document.documentElement.dataset.wide = wide.map(e => e.tagName + "." + e.className).join(" ");
}};
f.srcdoc = {page};
</script>"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium on this machine")
    return found


@pytest.fixture
def made(tmp_path: Path) -> Path:
    nodes = {**audit_reports.cluster(), HOSTILE: audit_reports.hostile()}
    nodes["app1"]["plugins"]["installed"][LONG] = audit_reports.plugin(active=False)
    path = tmp_path / "audit.html"
    path.write_text(page(audit_of(nodes, "2026-11-24 07:10:00 UTC")), encoding="utf-8")
    return path


def chromium(browser: str, place: Path, *arguments: str) -> str:
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
    command += [f"--user-data-dir={place / 'profile'}", "--disable-dev-shm-usage", "--virtual-time-budget=2000"]
    # Whatever it would fetch would be told as an error of this name server that does not exist.
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout + done.stderr


def sizes(browser: str, made: Path, width: int) -> List[int]:
    """Width of the content and of the window, by a script around the page."""
    text = json.dumps(made.read_text(encoding="utf-8")).replace("<", "\\u003c")
    measured = made.with_name(f"measured-{width}.html")
    measured.write_text(FRAME.format(width=width, page=text), encoding="utf-8")
    shown = chromium(browser, made.parent, "--window-size=1400,2000", "--dump-dom", f"file://{measured}")
    match = re.search(r'data-measured="(\d+) (\d+)" data-wide="([^"]*)"', shown)
    assert match is not None, shown[-2000:]
    assert match.group(3) == "", "elements that leave the window"
    return [int(number) for number in match.groups()[:2]]


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_it_fits_the_window_whatever_the_names(browser: str, made: Path, width: int) -> None:
    content, window = sizes(browser, made, width)
    assert content <= window == width


def test_what_nodes_say_is_text(browser: str, made: Path) -> None:
    shown = chromium(browser, made.parent, "--dump-dom", f"file://{made}")
    assert "<title>Mattermost audit: broken</title>" in shown
    assert shown.count("&lt;script&gt;document.title='owned'&lt;/script&gt;") >= 8
    assert not re.search(r"<script|ERR_|Refused to|NOTFOUND", shown)


def test_a_script_in_it_would_not_run(browser: str, made: Path) -> None:
    """The page forbids scripts to itself, should a value ever get through unescaped."""
    text = made.read_text(encoding="utf-8")
    pierced = made.with_name("pierced.html")
    pierced.write_text(text.replace("</main>", "<script>document.title='owned'</script></main>"), encoding="utf-8")
    assert "<title>Mattermost audit: broken</title>" in chromium(
        browser, made.parent, "--dump-dom", f"file://{pierced}"
    )


def test_screenshots_and_print(browser: str, made: Path) -> None:
    for name, width in (("wide", 1280), ("phone", 390)):
        picture = made.with_name(f"{name}.png")
        chromium(browser, made.parent, f"--window-size={width},1600", f"--screenshot={picture}", f"file://{made}")
        head = picture.read_bytes()[:24]
        assert struct.unpack(">II", head[16:24]) == (width, 1600)
        assert picture.stat().st_size > 40_000  # an empty page has 10 kB
    paper = made.with_name("audit.pdf")
    chromium(browser, made.parent, f"--print-to-pdf={paper}", "--no-pdf-header-footer", f"file://{made}")
    data = paper.read_bytes()
    assert data.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", data)) >= 2
