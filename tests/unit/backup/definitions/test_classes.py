"""The class table, and the modules of an operator's tree."""

from pathlib import Path

import pytest

from dce_play.backup.definitions.classes import classify, join_classes, read_classes
from dce_play.backup.definitions.find import load_classes, load_definitions
from dce_play.playbook.document.document import load_document
from dce_play.source import InvalidDocument

ROWS = load_classes(None, {}, load_document)


@pytest.mark.contract("B8")
@pytest.mark.parametrize(
    ("name", "class_name", "engine"),
    [
        ("agaria-postgres", "G", "compose"),
        ("agaria-redis", "G", "compose"),
        ("karakeep-meilisearch", "F", "meilisearch"),
        ("searxng", "F", "files"),
        ("honcho-postgres", "A", "postgres"),
        ("anything-postgres", "A", "postgres"),
        ("Postgres", "E", "files"),
        ("infisical-redis", "B", "redis"),
        ("openbao", "C", "vault"),
        ("my-minio", "D", "s3"),
        ("uptime-kuma", "E", "files"),
    ],
)
def test_the_first_row_that_matches_wins(name: str, class_name: str, engine: str) -> None:
    found = classify(name, ROWS)
    assert (found.name, found.engine) == (class_name, engine)


def test_a_modules_own_words_win_and_an_operators_table_comes_first(tmp_path: Path) -> None:
    assert classify("uptime-kuma", ROWS, own_class="A").engine == "postgres"
    assert classify("main-db", ROWS, engine="postgres").name == "A"
    assert classify("x", ROWS, engine="files").name == "E"
    table = tmp_path / "own.yaml"
    table.write_text("version: 1\nclasses: [{class: H, engine: files, match: ['uptime-*'], procedure: ours}]\n")
    own = read_classes(load_document(table), source=str(table))
    joined = join_classes(own, ROWS)
    assert classify("uptime-kuma", joined).name == "H"
    assert [row.order for row in joined] == list(range(1, len(joined) + 1))


def test_of_an_operators_tree_only_our_keys_are_read(tmp_path: Path) -> None:
    tree = tmp_path / "modules"
    for name, text in {
        "kuma": "metadata: {name: uptime-kuma}\nspec: {runtime: {statefulness: stateful, container: k}, theirs: [1]}\n",
        "web": "spec: {runtime: {statefulness: stateless}}\n",
        "old": "spec: {runtime: {statefulness: stateful}, lifecycle: sunset, backup: {blast_radius: low}}\n",
    }.items():
        (tree / name).mkdir(parents=True)
        (tree / name / "module.yaml").write_text(text)
    (tree / "kuma" / "runbook.md").write_text("# Restore\n\ndocker restart kuma-1\n")
    found = load_definitions(tree, ROWS, load_document)
    assert [module.name for module in found.modules] == ["uptime-kuma", "old"]
    assert found.modules[0].runtime_container == "k"
    assert found.modules[0].runbook == tree / "kuma" / "runbook.md"
    assert found.modules[1].is_excluded
    assert load_definitions(tmp_path, ROWS, load_document).modules == found.modules


@pytest.mark.contract("B8")
def test_problems_of_all_files_are_told_together_with_their_places(tmp_path: Path) -> None:
    for name, text in {
        "a": "spec:\n  runtime: {statefulness: stateful}\n  backup:\n    levl: 1\n",
        "b": "metadata: {name: c}\nspec:\n  runtime: {statefulness: stateful}\n  backup:\n    quiesce: {max: soon}\n",
        "c": "spec: {runtime: {statefulness: stateful}}\n",
        "d": "name: c\nspec: {runtime: {statefulness: stateful}}\n",
        "e": "spec: {runtime: {statefulness: stateful}, backup: {health: {http: 'http://x', tcp: 'x:1'}}}\n",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "module.yaml").write_text(text)
    with pytest.raises(InvalidDocument) as caught:
        load_definitions(tmp_path, ROWS, load_document)
    told = [(problem.span.path.parent.name, problem.span.line, problem.message) for problem in caught.value.problems]
    assert ("a", 4, "unknown key 'levl'") in told
    assert any(name == "b" and line == 5 and "not a duration" in message for name, line, message in told)
    assert any(name == "d" and "a second module" in message for name, line, message in told)
    assert any(name == "e" and "one kind" in message for name, line, message in told)
    assert caught.value.problems[0].hint == 'did you mean "level"?'


@pytest.mark.contract("B8")
def test_what_is_theirs_in_an_operators_tree_may_be_written_as_they_like(tmp_path: Path) -> None:
    theirs = (
        "secrets: !vault {key: !Ref y}\n",
        "base: &base {a: 1}\nmore: {<<: *base, a: 2, a: 3}\n",
        "text: {{ not ours }}\n",
        "? [a, b]\n: c\n{{ x }}: y\ntwice: 1\ntwice: 2\n",
    )
    for at, text in enumerate(theirs):
        (tmp_path / f"m{at}").mkdir()
        runtime = "runtime: {statefulness: stateful, limits: !big 1}, owner: !who me"
        ours = f"spec: {{{runtime}, backup: {{level: {at % 2}}}}}\n"
        (tmp_path / f"m{at}" / "module.yaml").write_text(text + ours)
    found = load_definitions(tmp_path, ROWS, load_document)
    assert [(module.name, module.keys.level) for module in found.modules] == [
        ("m0", 0),
        ("m1", 1),
        ("m2", 0),
        ("m3", 1),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("spec: {runtime: {statefulness: !x stateful}}\n", "tags such as !x are not read"),
        ("spec: {runtime: {statefulness: stateful}, backup: {level: 1, level: 2}}\n", 'duplicate key "level"'),
        ("spec: {runtime: {statefulness: stateful}}\nspec: {}\n", 'duplicate key "spec"'),
        ("a: &a {spec: {runtime: {statefulness: stateful}}}\n<<: *a\n", "merge keys are not read"),
        ("spec: {runtime: {statefulness: stateful}, backup: {? [a] : b}}\n", "a key must be text"),
        ("spec: {runtime: {statefulness: stateful}}\n---\nspec: {}\n", "a second document begins here"),
    ],
)  # fmt: skip
def test_what_is_ours_there_is_read_as_strictly_as_our_own_file(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "module.yaml").write_text(text)
    with pytest.raises(InvalidDocument) as caught:
        load_definitions(tmp_path, ROWS, load_document)
    assert told in [problem.message for problem in caught.value.problems]


@pytest.mark.contract("B8")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("spec: {runtime: {statefulness: statful}}\n", 'not "statful"'),
        ("spec: {runtime: {statefulness: Stateful}}\n", 'not "Stateful"'),
        ("spec: {runtime: {statefulness: statefulset}}\n", ""),
        ("spec: {runtime: {statefulness: external}}\n", ""),
        ("spec: {runtime: {statefulness: 1}}\n", ""),
        ("spec: {runtime: {statefulness: stateful}, backup: {statefulness: none}}\n", 'not "none"'),
    ],
)
def test_a_module_is_not_left_out_unseen_because_of_a_slip(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "kuma").mkdir()
    (tmp_path / "kuma" / "module.yaml").write_text(text)
    try:
        found = load_definitions(tmp_path, ROWS, load_document)
        problems = ""
    except InvalidDocument as error:
        problems = str(error.problems)
    else:
        assert found.modules == ()
    assert (told in problems) if told else problems == ""
