"""docs/how-to/before-your-first-apply.md, typed from its top to its end."""

import re
from pathlib import Path

import pytest

from tests.support.backups import yard_in
from tests.support.pages import PAGES, commands, run_command

PAGE = "before-your-first-apply.md"


@pytest.mark.contract("B1", "B8")
def test_the_page_can_be_typed_from_its_top_to_its_end(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    module = yard.terminal.folder / "modules" / "uptime-kuma" / "module.yaml"
    module.parent.mkdir(parents=True)
    bare = "metadata: {name: uptime-kuma}\nspec:\n  runtime: {statefulness: stateful}\n"
    module.write_text(bare)
    (yard.terminal.folder / "backup.yml").unlink()
    said = yard.run("audit").out
    missing = re.findall(r"^\| `([^`]+)` \| `([^`]+)`", (PAGES / PAGE).read_text(encoding="utf-8"), re.MULTILINE)
    lacks = ", ".join(words for words, _ in missing)
    assert re.search(rf"^uptime-kuma +class E +files +not-ready +no backup +{lacks}$", said, re.MULTILINE)
    module.write_text(
        f"{bare}  backup:\n    files: {{paths: [{yard.data}]}}\n    restore_notes: none\n    health: {{none: true}}\n"
    )
    extra = {"FOLDER": str(tmp_path / "restored"), "DCE_BACKUP_ROOT": str(yard.root)}
    told = [run_command(command, yard.terminal, extra) for command in commands(PAGE)]
    assert "first candidate" in told[0]
    assert "verified at level 3" in told[4]
    assert [path.name for path in (tmp_path / "restored").rglob("*.txt")] != []
    playbook = re.findall(r"^```yaml\n(.*?)^```$", (PAGES / PAGE).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    yard.terminal.write("apply.yml", playbook[0])
    run_command("dce-play run apply.yml", yard.terminal, extra)
