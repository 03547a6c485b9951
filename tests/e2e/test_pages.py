"""The pages that ``runs show`` and ``status`` write, parsed, and looked at in a real browser."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.browser import look
from tests.support.command_line import Terminal, terminal_in
from tests.support.operators import Operator

HOSTILE = '<script>document.title="taken"</script><img src=http://127.0.0.1:9/x onerror=alert(1)>"\'&amp;\u202ex\x1b[2J'
SHOWN = '<script>document.title="taken"</script><img src=http://127.0.0.1:9/x onerror=alert(1)>"\'&amp;x'
LONG = "a-name-without-an-end" * 30


class Parsed(HTMLParser):
    """What a page consists of."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "srcset", "data", "action"}]
        self.links += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def journal(terminal: Terminal, name: str, *, outcome: str = "ok") -> Path:
    """Write the journal of a run in which everything that others name has this name."""
    place = terminal.folder / "state" / "runs" / "20261128T031500Z-24ad04"
    place.mkdir(parents=True)
    step = {"id": f"scrape[{name}]/scrape", "name": name, "uses": "scrape.run", "item": name}
    facts = {"kind": "channel", "name": name, "added": 1234, "total": 56789, "remark": name}
    error = {"kind": "StepFailed", "message": name, "hint": name}
    stamp = "2026-11-28T03:15:00.000000Z"
    events: list[dict[str, object]] = [
        {
            "type": "run.start",
            "mode": "run",
            "name": name,
            "targets": [name],
            "options": {"folder": str(terminal.folder)},
        },
        {"type": "step.item", "step": step, "key": "1", "status": "merged", "detail": name, "facts": facts},
        {"type": "step.item", "step": step, "key": "2", "status": "failed", "detail": name},
        {"type": "diagnostic", "severity": name, "message": name, "hint": ""},
        {
            "type": "step.end",
            "step": step,
            "status": "failed",
            "summary": name,
            "duration_s": 12.5,
            "outputs": {"target": name, "unarchived": [name]},
            "error": error,
        },
        {
            "type": "run.end",
            "outcome": outcome,
            "exit_code": 1,
            "duration_s": 13.5,
            "error": error,
            "next_command": name,
        },
    ]
    with (place / "events.jsonl").open("w", encoding="utf-8") as file:
        for number, event in enumerate(events, start=1):
            file.write(
                json.dumps({"v": 1, "seq": number, "ts": stamp, "run": place.name, **event}, separators=(",", ":"))
            )
            file.write("\n")
    return place


@pytest.fixture
def pages(tmp_path: Path) -> dict[str, Path]:
    """Return the pages of an operator who has seen a bit of everything."""
    operator = Operator(tmp_path)
    operator.target("<i>gone</i>")
    operator.target("never")
    operator.run("scrape", "--target", "demo")
    operator.run("scrape", "--target", "demo", "--dry-run")
    operator.forget("<i>gone</i>")
    run, status = tmp_path / "run.html", tmp_path / "status.html"
    assert operator.play("runs", "show", operator.terminal.runs()[0].name, "--html", run).code == 0
    assert operator.play("status", "--html", status).code == 2
    return {"run": run, "status": status}


def test_a_runs_page_tells_what_changed(pages: dict[str, Path]) -> None:
    text = Parsed(pages["run"]).text
    for words in ("scrape ok", "messages +1", "channels that grew 1 of 1", "Scrape demo", "changed"):
        assert words in text


def test_the_status_page_tells_of_each_target_and_what_to_do(pages: dict[str, Path]) -> None:
    text = Parsed(pages["status"]).text
    for words in ("Something is wrong", "demo ok", "never never", "no run that ended well is known", "(dry run)"):
        assert words in text


@pytest.mark.contract("O12")
@pytest.mark.parametrize("name", ["run", "status"])
def test_a_page_needs_nothing_else_and_no_scripts(pages: dict[str, Path], name: str) -> None:
    parsed = Parsed(pages[name])
    assert not parsed.tags & {"script", "link", "iframe", "img", "object", "form", "a"}
    assert parsed.links == []
    data = pages[name].read_text(encoding="utf-8")
    assert "url(" not in data
    assert "@import" not in data
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'\"" in data


@pytest.mark.parametrize("outcome", ["failed", "ok", "lost", "interrupted"])
def test_hostile_names_are_text(tmp_path: Path, outcome: str) -> None:
    terminal = terminal_in(tmp_path)
    journal(terminal, HOSTILE, outcome=outcome)
    page = tmp_path / "run.html"
    assert terminal.run("runs", "show", "24ad04", "--html", str(page)).code == 0
    parsed = Parsed(page)
    assert not parsed.tags & {"script", "img"}
    assert parsed.text.count(SHOWN) >= 8
    data = page.read_bytes()
    assert b"\x1b" not in data
    assert "\u202e".encode() not in data
    seen = look(page, tmp_path, width=360)
    assert (seen.scripts, seen.asked) == (0, 0)
    assert seen.title.startswith("<script>")


@pytest.mark.contract("O12")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_pages_fit_the_window_in_light_and_dark(
    pages: dict[str, Path], tmp_path: Path, width: int, *, dark: bool
) -> None:
    for page in pages.values():
        seen = look(page, tmp_path, width=width, dark=dark)
        assert (seen.wide, seen.scroll, seen.asked, seen.scripts) == ((), seen.room, 0, 0)
        red = int(re.findall(r"\d+", seen.paper)[0])
        assert (red < 64) if dark else (red > 192)


def test_a_name_without_an_end_does_not_widen_the_page(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    journal(terminal, LONG)
    page = tmp_path / "run.html"
    terminal.run("runs", "show", "24ad04", "--html", str(page))
    seen = look(page, tmp_path, width=360)
    assert (seen.wide, seen.scroll) == ((), seen.room)
    assert "+1,234" in seen.text
    assert "56,789" in seen.text


@pytest.mark.contract("O12")
def test_growth_is_a_picture(pages: dict[str, Path], tmp_path: Path) -> None:
    assert look(pages["status"], tmp_path, width=1280).bars == 1


def test_a_page_goes_through_the_one_writer_of_named_files(tmp_path: Path) -> None:
    terminal = terminal_in(tmp_path)
    journal(terminal, "night")
    said = terminal.run("runs", "show", "24ad04", "--html", str(tmp_path))
    assert said.code == 1
    assert f"cannot write the page to {tmp_path}: it is a folder" in said.err
    assert terminal.run("runs", "show", "24ad04", "--html", "/dev/stdout").out.startswith("<!doctype html>")


@pytest.mark.parametrize("line", ["garbage", '{"type":"step.end","step":7}', '{"type":"diagnostic"}', "[]"])
def test_a_damaged_run_has_a_page_too(tmp_path: Path, line: str) -> None:
    terminal = terminal_in(tmp_path)
    place = journal(terminal, "night")
    lines = (place / "events.jsonl").read_text().splitlines(keepends=True)
    (place / "events.jsonl").write_text("".join([lines[0], f"{line}\n", *lines[1:], f"{line}\n"]))
    said = terminal.run("runs", "show", "24ad04", "--html", str(tmp_path / "run.html"))
    assert (said.code, said.err) == (0, "")
    assert (tmp_path / "run.html").stat().st_mode & 0o777 == 0o644
