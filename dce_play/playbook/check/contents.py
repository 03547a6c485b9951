"""Going through a parsed playbook: every statement, and every expression in a template."""

from collections.abc import Iterable, Iterator

from dce_play.playbook.language.model import (
    Block,
    Expression,
    Fields,
    Include,
    Items,
    Keywords,
    Literal,
    OnError,
    Playbook,
    Statement,
    StepCall,
    Template,
    Text,
)


def statements(body: Iterable[Statement]) -> Iterator[Statement]:
    """Yield every statement, a block before what is inside it."""
    for statement in body:
        yield statement
        if isinstance(statement, Block):
            yield from statements((*statement.body, *statement.rescue, *statement.always))


def expressions(template: Template) -> Iterator[Expression]:
    """Yield every expression of a template, in order."""
    match template:
        case Literal():
            return
        case Expression():
            yield template
        case Text(parts=parts):
            yield from (part for part in parts if isinstance(part, Expression))
        case Items(items=items):
            for item in items:
                yield from expressions(item)
        case Fields(fields=fields):
            for field in fields.values():
                yield from expressions(field)


def keyword_templates(keywords: Keywords) -> Iterator[Template]:
    """Yield every template of the keywords, conditions included."""
    single = (keywords.name, keywords.loop, keywords.retries, keywords.delay, keywords.timeout, keywords.confirm)
    yield from (template for template in single if template is not None)
    if not isinstance(keywords.on_error, OnError):
        yield keywords.on_error
    yield from keywords.vars.values()
    yield from keywords.environment.values()
    yield from (*keywords.when, *keywords.until, *(keywords.changed_when or ()), *(keywords.failed_when or ()))


def all_expressions(playbook: Playbook) -> Iterator[Expression]:
    """Yield every expression of the file."""
    templates: list[Template] = [*playbook.vars.values(), *playbook.outputs.values()]
    for statement in statements((*playbook.preflight, *playbook.steps)):
        templates.extend(keyword_templates(statement.keywords))
        match statement:
            case StepCall():
                templates.extend(statement.params.values())
            case Block() | Include():
                pass
    for template in templates:
        yield from expressions(template)


def names_read(playbook: Playbook) -> frozenset[str]:
    """Return every name that some expression of the file reads. Expressions that do not parse read nothing."""
    texts = {expression.text for expression in all_expressions(playbook)}
    if not texts:
        return frozenset()
    # Inside the function for start-up time: Jinja takes 60 ms to import.
    from dce_play.playbook.expressions.sandbox import names_of

    return frozenset().union(*(names_of(text) for text in texts))
