"""A plan as an outline, as JSON and as a Mermaid graph. Nothing is evaluated: expressions are shown as written."""

from collections.abc import Iterable, Iterator

from dce_play.playbook.language.model import Expression, Fields, Items, Literal, OnError, Template, Text
from dce_play.playbook.plan.plan import Plan, PlannedBlock, PlannedCall, PlannedNode, PlannedStep, children
from dce_play.source import JsonValue


def outline(plan: Plan, chosen: frozenset[str] | None) -> str:
    """Return the plan as text, one line a step; steps that are not chosen are left out."""
    effects = ", ".join(sorted(plan.effects)) or "none"
    lines = [f"{plan.name}: {plan.summary}" if plan.summary else plan.name, f"lock: {plan.lock}, effects: {effects}"]
    for title, nodes in (("preflight", plan.preflight), ("steps", plan.steps)):
        shown = list(_lines(nodes, chosen, depth=1))
        lines += [f"{title}:", *shown] if shown else []
    return "\n".join(lines) + "\n"


def _lines(nodes: Iterable[PlannedNode], chosen: frozenset[str] | None, *, depth: int) -> Iterator[str]:
    for node in nodes:
        if not _is_chosen(node, chosen):
            continue
        yield f"{'  ' * depth}{node.id}  {_what(node)}{_keywords(node)}".rstrip()
        match node:
            case PlannedStep():
                pass
            case PlannedCall():
                yield from _lines(node.body, chosen, depth=depth + 1)
            case PlannedBlock():
                yield from _lines(node.body, chosen, depth=depth + 1)
                for word, part in (("rescue", node.rescue), ("always", node.always)):
                    if part:
                        yield f"{'  ' * depth}{word}:"
                        yield from _lines(part, chosen, depth=depth + 1)


def _is_chosen(node: PlannedNode, chosen: frozenset[str] | None) -> bool:
    return chosen is None or node.id in chosen or any(_is_chosen(child, chosen) for child in children(node))


def _what(node: PlannedNode) -> str:
    match node:
        case PlannedStep():
            return node.step
        case PlannedBlock():
            return "block"
        case PlannedCall():
            return f"{node.kind} {node.title}"


def _keywords(node: PlannedNode) -> str:
    keywords = node.keywords
    words = [f"when {condition.text}" for condition in keywords.when]
    if keywords.loop is not None:
        words.append(f"for each {keywords.loop_name} of {written(keywords.loop)}")
    if keywords.on_error is OnError.CONTINUE:
        words.append("goes on after a failure")
    elif not isinstance(keywords.on_error, OnError):
        words.append(f"on_error {written(keywords.on_error)}")
    if keywords.tags:
        words.append(f"tags {', '.join(keywords.tags)}")
    return f"  ({'; '.join(words)})" if words else ""


def written(template: Template) -> JsonValue:
    """Return a template as its author wrote it."""
    match template:
        case Literal(value=value):
            return value
        case Expression(text=text):
            return "{{ " + text + " }}"
        case Text(parts=parts):
            return "".join(part if isinstance(part, str) else "{{ " + part.text + " }}" for part in parts)
        case Items(items=items):
            return [written(item) for item in items]
        case Fields(fields=fields):
            return {name: written(each) for name, each in fields.items()}


def as_json(plan: Plan, chosen: frozenset[str] | None) -> dict[str, JsonValue]:
    """Return the plan for machines."""
    return {
        "name": plan.name,
        "path": str(plan.path),
        "summary": plan.summary,
        "lock": str(plan.lock),
        "effects": [str(effect) for effect in sorted(plan.effects)],
        "preflight": [_node_json(node, chosen) for node in plan.preflight if _is_chosen(node, chosen)],
        "steps": [_node_json(node, chosen) for node in plan.steps if _is_chosen(node, chosen)],
    }


def _node_json(node: PlannedNode, chosen: frozenset[str] | None) -> dict[str, JsonValue]:
    keywords = node.keywords
    facts: dict[str, JsonValue] = {"id": node.id, "line": node.span.line}
    if keywords.name is not None:
        facts["name"] = written(keywords.name)
    if keywords.when:
        facts["when"] = [condition.text for condition in keywords.when]
    if keywords.loop is not None:
        facts |= {"loop": written(keywords.loop), "as": keywords.loop_name}
    if keywords.tags:
        facts["tags"] = list(keywords.tags)
    match node:
        case PlannedStep():
            params: JsonValue = {name: written(each) for name, each in node.params.items()}
            return facts | {"step": node.step, "effects": str(node.plugin.EFFECTS), "params": params}
        case PlannedBlock():
            parts = {"block": node.body, "rescue": node.rescue, "always": node.always}
        case PlannedCall():
            parts = {str(node.kind): node.body}
            facts["title"] = node.title
    for word, body in parts.items():
        if body:
            facts[word] = [_node_json(child, chosen) for child in body if _is_chosen(child, chosen)]
    return facts


def mermaid(plan: Plan) -> str:
    """Return the plan as a Mermaid flowchart: order as arrows, blocks and roles as boxes."""
    lines = ["flowchart TD"]
    counter = iter(range(1, 1_000_000))
    last = _chart((*plan.preflight, *plan.steps), lines, counter, indent=1, before=None)
    if last is None:
        lines.append(f'  n0["{_label(plan.name)}"]')
    return "\n".join(lines) + "\n"


def _chart(
    nodes: Iterable[PlannedNode], lines: list[str], counter: Iterator[int], *, indent: int, before: str | None
) -> str | None:
    """Add the nodes' lines; return the id of the last step."""
    pad = "  " * indent
    for node in nodes:
        mine = f"n{next(counter)}"
        if isinstance(node, PlannedStep):
            lines.append(f'{pad}{mine}["{_label(node.key)}<br/>{node.step}"]')
            if before is not None:
                lines.append(f"{pad}{before} --> {mine}")
            before = mine
            continue
        lines.append(f'{pad}subgraph {mine}["{_label(node.key)}{_label(_keywords(node))}"]')
        before = _chart(children(node), lines, counter, indent=indent + 1, before=before) or before
        lines.append(f"{pad}end")
    return before


def _label(text: str) -> str:
    return text.replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
