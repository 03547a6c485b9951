"""One stream: numbered without gaps whoever speaks, and no secret in any sink in any spelling."""

import base64
import json
import threading
from pathlib import Path
from urllib.parse import quote

import pytest

from dce_play.event_json import to_json
from dce_play.events import Diagnosed, StepRef, StepSaid
from dce_play.plugin import Context, StepFailed, StepResult
from dce_play.runner.record.stream import EventStream
from dce_play.runner.secrets import RunSecrets, SecretMissing
from tests.support.fakes import FakeClock
from tests.support.plans import AnyOutputs, MadeUpStep, Recorder, done, play

SECRETS = {
    "plain": "correct-horse-battery",
    "quoted": 'say "hi" \\ and go',
    "url": "a b&c=d/ü?x",
    "pem": "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----",
    "json": '{"token": "abcdefgh", "n": 1}',
    "unicode": "pässwörter-ß",
}


def spellings(secret: str) -> list[str]:
    found = [secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret, safe="")]
    found += [line for line in secret.splitlines() if len(line) >= 4]
    for lead in ("", "x", "xy"):
        found.append(base64.b64encode((lead + secret + "tail").encode()).decode())
    return found


@pytest.mark.parametrize("kind", SECRETS)
def test_no_spelling_of_a_secret_reaches_a_sink_or_a_file(kind: str, tmp_path: Path) -> None:
    secret = SECRETS[kind]

    def act(_params: object, ctx: Context) -> StepResult:
        value = ctx.secrets.resolve("env:CANARY")
        for spelling in spellings(value):
            ctx.reporter.say(f"<{spelling}>")
            ctx.reporter.item(spelling, "ok", spelling)
        ctx.checkpoint.put("key", {"deep": [value]})
        if _params.value == "fail":  # type: ignore[attr-defined]  # the params of a made-up step
            raise StepFailed(f"bad {value}", hint=value, outputs=AnyOutputs(value=[value]))
        return done({"value": value})

    environment = {"CANARY": secret, "PATH": "/bin"}
    ran = play(
        "steps: [{do.it: {}, on_error: continue}, {do.it: {value: fail}}]",
        tmp_path,
        MadeUpStep(NAME="do.it", act=act),
        environment=environment,
    )
    everything = "\n".join(json.dumps(to_json(event), ensure_ascii=False) for event in ran.recorder.events)
    files = [path for path in ran.outcome.run_folder.rglob("*") if path.is_file()]
    texts = [everything, *(path.read_text(encoding="utf-8") for path in files)]
    assert len(texts) >= 3
    for text in texts:
        for spelling in spellings(secret)[:4]:
            assert spelling not in text
            assert json.dumps(spelling)[1:-1] not in text
        for encoded in spellings(secret)[-3:]:
            assert encoded[8:-12] not in text


def test_a_crash_that_names_a_secret_leaves_a_masked_traceback(tmp_path: Path) -> None:
    def act(_params: object, ctx: Context) -> StepResult:
        raise RuntimeError(ctx.secrets.resolve("env:CANARY"))

    ran = play(
        "steps: [{do.it: {}}]", tmp_path, MadeUpStep(NAME="do.it", act=act), environment={"CANARY": "hunter2-hunter2"}
    )
    text = (ran.outcome.run_folder / "crash.txt").read_text(encoding="utf-8")
    assert "RuntimeError: ***" in text
    assert "hunter2" not in text + json.dumps([to_json(event) for event in ran.recorder.events])


def test_outputs_that_were_masked_are_not_reused(tmp_path: Path) -> None:
    def act(_params: object, ctx: Context) -> StepResult:
        return done(ctx.secrets.resolve("env:CANARY"))

    ran = play("steps: [{do.it: {}}]", tmp_path, MadeUpStep(NAME="do.it", act=act), environment={"CANARY": "hunter2-x"})
    ended = [to_json(event) for event in ran.recorder.events if event.body.TYPE == "step.end"]
    assert ended[0]["redacted"] is True
    assert ended[0]["outputs"] == {"value": "***"}


@pytest.mark.parametrize("reference", ["env:NOPE", "file:gone", "literal", "vault:x"])
def test_a_reference_that_leads_nowhere_is_told_without_its_text(reference: str, tmp_path: Path) -> None:
    with pytest.raises(SecretMissing) as missing:
        RunSecrets(environment={}, folder=tmp_path).resolve(reference)
    assert ("literal" in str(missing.value)) is False


def test_a_secret_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abcdef\n", encoding="utf-8")
    assert RunSecrets(environment={}, folder=tmp_path).resolve("file:token") == "abcdef"


def test_many_threads_get_numbers_without_gaps(tmp_path: Path) -> None:
    recorder = Recorder()
    secrets = RunSecrets(environment={}, folder=tmp_path)
    stream = EventStream(run_id="r", clock=FakeClock(), mask=secrets, sinks=[recorder])
    step = StepRef(id="s", name="s", uses="a.b")

    def speak() -> None:
        for number in range(200):
            stream.emit(StepSaid(step=step, text=str(number)))

    threads = [threading.Thread(target=speak) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.seq for event in recorder.events] == list(range(1, 801))


def test_what_is_posted_during_a_delivery_comes_after_it(tmp_path: Path) -> None:
    secrets = RunSecrets(environment={}, folder=tmp_path)
    recorder = Recorder()

    class Handler(Recorder):
        def accept(self, event: object, /) -> None:
            if not self.events:  # as a signal handler would, in the middle of a delivery
                self.events.append(event)  # type: ignore[arg-type]  # a test's shortcut
                stream.post(Diagnosed(severity="warning", message="posted"))

    stream = EventStream(run_id="r", clock=FakeClock(), mask=secrets, sinks=[Handler(), recorder])
    stream.emit(Diagnosed(severity="info", message="emitted"))
    assert [(event.seq, event.body.message) for event in recorder.events] == [(1, "emitted"), (2, "posted")]  # type: ignore[union-attr]  # only such
