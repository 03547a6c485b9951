"""Headless Chromium: how a page comes out at a width, in light or dark. It is told to ask nobody."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest

_PROBE = """<!doctype html><body style="margin:0">
<iframe id="page" src="PAGE" style="width:WIDTHpx;height:2000px;border:0"></iframe><pre id="seen"></pre><script>
document.getElementById("page").onload = (event) => {
  const frame = event.target, page = frame.contentDocument, root = page.documentElement
  const narrow = (each) => each.getBoundingClientRect().right > root.clientWidth + 1
  document.getElementById("seen").textContent = JSON.stringify({
    wide: [...page.querySelectorAll("main *, footer *")].filter(narrow).map((each) => each.tagName),
    scroll: root.scrollWidth, room: root.clientWidth, paper: getComputedStyle(page.body).backgroundColor,
    asked: frame.contentWindow.performance.getEntriesByType("resource").length, scripts: page.scripts.length,
    title: page.title, text: page.body.innerText, bars: page.querySelectorAll("svg rect").length,
  })
}
</script>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the browser made of a page."""

    wide: tuple[str, ...]
    """Elements that stick out on the right."""
    scroll: int
    room: int
    paper: str
    """The background's colour."""
    asked: int
    """How many other things the page loaded, or tried to."""
    scripts: int
    title: str
    text: str
    bars: int


def browser() -> str:
    """Return Chromium's program; without one the test is skipped aloud, or fails where ``CI`` is true."""
    found = shutil.which("chromium")
    if found is None:
        words = "no chromium here: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    return found


def look(page: Path, folder: Path, *, width: int, dark: bool = False) -> Seen:
    """Open the page in a window of that width and return what came out. ``folder`` is for the browser's own files."""
    program = browser()
    probe = folder / f"probe-{width}-{dark}.html"
    probe.write_text(_PROBE.replace("PAGE", page.as_uri()).replace("WIDTH", str(width)), encoding="utf-8")
    done = subprocess.run(
        [
            *(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
            *("--disable-dev-shm-usage", "--allow-file-access-from-files", "--virtual-time-budget=10000"),
            *(f"--user-data-dir={folder / 'chromium'}", f"--blink-settings=preferredColorScheme={0 if dark else 1}"),
            *(f"--window-size={max(width, 600)},2100", "--dump-dom", probe.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = re.search(r'<pre id="seen">(.+?)</pre>', done.stdout, re.DOTALL)
    assert told is not None, done.stderr
    facts = json.loads(unescape(told[1]))
    return Seen(**{**facts, "wide": tuple(facts["wide"])})
