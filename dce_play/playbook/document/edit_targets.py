"""Adding a target to a targets file without touching the rest of it: comments, order and layout stay."""

import io
import json
from collections.abc import Mapping

from dce_play.source import Document, JsonValue


def with_target(document: Document, entry: Mapping[str, JsonValue]) -> str:
    """Return the file's text with one more target at the end of ``targets``. The document must be a sound one."""
    if document.path.suffix == ".json":
        return _with_target_json(document, entry)
    # Only editing needs the slow, comment-keeping reader.
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 4096
    tree = yaml.load(document.text)
    tree["targets"].append(dict(entry))
    text = io.StringIO()
    yaml.dump(tree, text)
    return text.getvalue()


def new_targets_file(archive_root: str, entry: Mapping[str, JsonValue]) -> str:
    """Return the text of a new YAML targets file with one target."""
    lines = ["# yaml-language-server: $schema=schemas/targets.schema.json", f"archive_root: {json.dumps(archive_root)}"]
    lines += ["targets:"]
    mark = "  - "
    for name, value in entry.items():
        lines.append(f"{mark}{name}: {json.dumps(value, ensure_ascii=False)}")
        mark = "    "
    return "\n".join(lines) + "\n"


def _with_target_json(document: Document, entry: Mapping[str, JsonValue]) -> str:
    value = json.loads(document.text)
    value["targets"].append(dict(entry))
    end = "\n" if document.text.endswith("\n") else ""
    return json.dumps(value, indent=2, ensure_ascii=False) + end
