"""What a failure, a loop, a block and a retry do to what comes after."""

from pathlib import Path

import pytest

from dce_play.errors import ExitCode
from dce_play.events import Asked, Outcome, RunEnded, Status, StepEnded, StepRetried
from dce_play.plugin import Context, StepFailed, StepResult
from tests.support.fakes import FakeClock
from tests.support.plans import AnyOutputs, MadeUpStep, done, echo, play


def failing(times: int = 1_000_000, name: str = "fail.now") -> MadeUpStep:
    """Return a step that fails so many times, then succeeds."""
    tries: list[int] = []

    def act(params: object, _ctx: Context) -> StepResult:
        tries.append(1)
        if len(tries) <= times:
            raise StepFailed("no luck", hint="try again", outputs=AnyOutputs(value=len(tries)))
        return done(len(tries))

    return MadeUpStep(NAME=name, act=act)


def test_steps_run_in_order_and_the_last_event_is_the_outcome(tmp_path: Path) -> None:
    do = echo()
    ran = play("steps: [{do.it: {value: 1}}, {do.it: {value: 2}}]", tmp_path, do)
    assert do.applied == [1, 2]
    last = ran.recorder.bodies[-1]
    assert isinstance(last, RunEnded)
    assert (last.outcome, last.exit_code, dict(last.counts)) == (Outcome.OK, 0, {"changed": 2})
    assert [event.seq for event in ran.recorder.events] == list(range(1, len(ran.recorder.events) + 1))


def test_the_first_failure_stops_the_run_and_tells_what_was_not_run(tmp_path: Path) -> None:
    do = echo()
    ran = play(
        "steps: [{do.it: {value: 1}}, {fail.now: {}}, {block: [{do.it: {value: 2}}]}, {do.it: {value: 3}}]",
        tmp_path,
        do,
        failing(),
    )
    assert do.applied == [1]
    assert ran.recorder.statuses() == {
        "do.it": "changed",
        "fail.now": "failed",
        "block/do.it": "not-run",
        "do.it#2": "not-run",
    }
    assert ran.outcome.exit_code == ExitCode.FAILED
    assert ran.outcome.error is not None
    assert (ran.outcome.error.message, ran.outcome.error.hint) == ("no luck", "try again")


def test_a_rescued_block_is_no_failure(tmp_path: Path) -> None:
    ran = play(
        """
        steps:
          - block: [{fail.now: {}}]
            rescue: [{report.say: {text: "{{ failure.message }} at {{ failure.step }}"}}]
          - report.say: {text: after}
        """,
        tmp_path,
        failing(),
    )
    assert ran.recorder.said() == ["no luck at block/fail.now", "after"]
    assert ran.outcome.exit_code == ExitCode.OK
    assert ran.recorder.statuses()["block"] == Status.RESCUED
    assert dict(ran.outcome.counts) == {"ok": 2, "rescued": 1, "failed": 0}


def test_a_rescue_that_fails_is_the_failure(tmp_path: Path) -> None:
    ran = play(
        "steps: [{block: [{fail.now: {}}], rescue: [{fail.again: {}}]}]",
        tmp_path,
        failing(),
        failing(name="fail.again"),
    )
    assert ran.outcome.exit_code == ExitCode.FAILED
    assert ran.recorder.statuses()["block"] == Status.FAILED


@pytest.mark.parametrize(("body", "code"), [("fail.now: {}", 1), ("do.it: {}", 0)])
def test_always_runs_whether_or_not_the_block_failed(tmp_path: Path, body: str, code: int) -> None:
    ran = play(
        f"steps: [{{block: [{{{body}}}], always: [{{report.say: {{text: bye}}}}]}}]", tmp_path, failing(), echo()
    )
    assert ran.recorder.said() == ["bye"]
    assert ran.outcome.exit_code == code


def test_on_error_continue_goes_on_and_the_run_still_fails(tmp_path: Path) -> None:
    ran = play(
        """
        steps:
          - name: each
            loop: [a, b, c]
            on_error: continue
            block:
              - assert.that: {conditions: ["{{ item != 'b' }}"]}
              - report.say: {text: "{{ item }}"}
          - report.say: {text: end}
        """,
        tmp_path,
    )
    assert ran.recorder.said() == ["a", "c", "end"]
    assert ran.outcome.exit_code == ExitCode.FAILED
    assert ran.recorder.statuses()["each[b]"] == Status.FAILED


def test_without_on_error_a_loop_stops_at_the_failing_item(tmp_path: Path) -> None:
    ran = play("steps: [{loop: [a, b, c], assert.that: {conditions: [\"{{ item == 'a' }}\"]}}]", tmp_path)
    assert [key for key in ran.recorder.statuses() if "[" in key] == ["assert.that[a]", "assert.that[b]"]


def test_an_empty_loop_is_skipped_and_says_so(tmp_path: Path) -> None:
    ran = play("steps: [{loop: [], report.say: {text: x}}]", tmp_path)
    ended = [body for body in ran.recorder.bodies if isinstance(body, StepEnded)]
    assert [(body.status, body.summary) for body in ended] == [(Status.SKIPPED, "0 items")]


def test_what_a_loop_item_registers_stays_in_the_item_and_the_loop_registers_a_list(tmp_path: Path) -> None:
    ran = play(
        """
        steps:
          - loop: [1, 2]
            do.it: {value: "{{ item }}"}
            register: all
          - report.say: {text: "{{ all | map(attribute='value') | join(',') }} {{ all[0].item }}"}
        """,
        tmp_path,
        echo(),
    )
    assert ran.recorder.said() == ["1,2 1"]


def test_two_items_with_one_key_are_refused(tmp_path: Path) -> None:
    ran = play("steps: [{loop: [{name: a}, {name: a}], report.say: {text: x}}]", tmp_path)
    assert ran.outcome.error is not None
    assert ran.outcome.error.kind == "DuplicateItems"


def test_a_condition_that_does_not_hold_skips(tmp_path: Path) -> None:
    ran = play('steps: [{when: "1 > 2", do.it: {}}, {when: "1 < 2", do.it: {}}]', tmp_path, echo())
    assert list(ran.recorder.statuses().values()) == ["skipped", "changed"]


def test_retries_wait_longer_each_time_and_then_give_up(tmp_path: Path) -> None:
    clock, step = FakeClock(), failing()
    ran = play("steps: [{fail.now: {}, retries: 3, delay: 10s}]", tmp_path, step, clock=clock)
    retried = [body for body in ran.recorder.bodies if isinstance(body, StepRetried)]
    assert [body.delay_s for body in retried] == [10.0, 20.0, 40.0]
    assert sum(clock.sleeps) == pytest.approx(70.0)
    assert len(step.applied) == 4
    assert ran.outcome.exit_code == ExitCode.FAILED


@pytest.mark.parametrize(("delay_s", "pauses"), [(150, [150, 300, 300]), (301, [301, 301, 301])])
def test_a_pause_between_tries_has_a_bound_unless_the_playbook_says_more(
    tmp_path: Path, delay_s: int, pauses: list[float]
) -> None:
    ran = play(f"steps: [{{fail.now: {{}}, retries: 3, delay: {delay_s}s}}]", tmp_path, failing(), clock=FakeClock())
    assert [body.delay_s for body in ran.recorder.bodies if isinstance(body, StepRetried)] == pauses
    assert ran.outcome.exit_code == ExitCode.FAILED


@pytest.mark.parametrize(("needed", "code"), [(4, ExitCode.OK), (5, ExitCode.FAILED)])
def test_until_without_retries_is_tried_four_times(tmp_path: Path, needed: int, code: ExitCode) -> None:
    step = failing(0)
    text = f'steps: [{{fail.now: {{}}, until: "result.value == {needed}"}}]'
    assert play(text, tmp_path, step, clock=FakeClock()).outcome.exit_code == code
    assert len(step.applied) == 4


def test_a_retry_that_succeeds_is_a_success(tmp_path: Path) -> None:
    ran = play("steps: [{fail.now: {}, retries: 3}]", tmp_path, failing(2), clock=FakeClock())
    ended = [body for body in ran.recorder.bodies if isinstance(body, StepEnded)]
    assert [(body.status, body.attempt) for body in ended] == [(Status.CHANGED, 3)]


def test_until_is_asked_after_each_try(tmp_path: Path) -> None:
    step = failing(0)
    ran = play('steps: [{fail.now: {}, until: "result.value == 3", retries: 5}]', tmp_path, step, clock=FakeClock())
    assert len(step.applied) == 3
    assert ran.outcome.exit_code == ExitCode.OK


def test_until_that_never_holds_is_a_failure(tmp_path: Path) -> None:
    ran = play('steps: [{do.it: {}, until: "false", retries: 1}]', tmp_path, echo(), clock=FakeClock())
    assert ran.outcome.error is not None
    assert "until" in ran.outcome.error.message


def test_changed_when_and_failed_when_have_the_last_word(tmp_path: Path) -> None:
    ran = play(
        """
        steps:
          - {name: quiet, do.it: {value: 1}, changed_when: "result.value == 2"}
          - {name: forgiven, fail.now: {}, failed_when: "result.value == 7"}
          - {name: condemned, do.it: {value: 1}, failed_when: "result.value == 1"}
        """,
        tmp_path,
        echo(),
        failing(),
    )
    assert list(ran.recorder.statuses().values()) == ["ok", "ok", "failed"]


def test_a_failure_hands_its_outputs_to_register_and_rescue(tmp_path: Path) -> None:
    ran = play(
        """
        steps:
          - block: [{fail.now: {}, register: it}]
            rescue: [{when: it is defined, report.say: {text: "{{ it.value }} {{ it.failed }}"}}]
        """,
        tmp_path,
        failing(),
    )
    assert ran.recorder.said() == ["1 true"]


def test_a_plugin_that_crashes_is_a_failed_step_with_a_traceback_in_the_run_folder(tmp_path: Path) -> None:
    def act(_params: object, _ctx: Context) -> StepResult:
        raise KeyError("oops")

    ran = play("steps: [{do.it: {}}]", tmp_path, MadeUpStep(NAME="do.it", act=act))
    assert ran.outcome.exit_code == ExitCode.FAILED
    assert "KeyError: 'oops'" in (ran.outcome.run_folder / "crash.txt").read_text(encoding="utf-8")


def test_a_failing_preflight_is_exit_4_and_no_step_runs(tmp_path: Path) -> None:
    do = echo()
    ran = play("preflight: [{assert.that: {conditions: [false]}}]\nsteps: [{do.it: {}}]", tmp_path, do)
    assert ran.outcome.exit_code == ExitCode.PREFLIGHT
    assert do.applied == []


def test_confirm_asks_and_a_no_fails_the_step(tmp_path: Path) -> None:
    text = "steps: [{do.it: {value: 1}, confirm: Really?}]"
    do = echo()
    no = play(text, tmp_path, do, ask=lambda _question, _answers: "no")
    assert (no.outcome.exit_code, do.applied) == (ExitCode.FAILED, [])
    yes = play(text, tmp_path, do, ask=lambda _question, _answers: "yes", run_folder=tmp_path / "2")
    assert (yes.outcome.exit_code, do.applied) == (ExitCode.OK, [1])
    asked = [body for body in yes.recorder.bodies if isinstance(body, Asked)]
    assert [(body.question, body.answer) for body in asked] == [("Really?", "yes")]


def test_a_question_without_anybody_is_exit_77_unless_yes_was_said(tmp_path: Path) -> None:
    text = "steps: [{pause.confirm: {question: Go?}}]"
    assert play(text, tmp_path).outcome.exit_code == ExitCode.UNATTENDED
    assert play(text, tmp_path, assume_yes=True, run_folder=tmp_path / "2").outcome.exit_code == ExitCode.OK


def test_step_by_step_leaves_out_what_the_operator_leaves_out(tmp_path: Path) -> None:
    do, answers = echo(), iter(["no", "yes", "all"])
    play(
        "steps: [{do.it: {value: 1}}, {do.it: {value: 2}}, {do.it: {value: 3}}, {do.it: {value: 4}}]",
        tmp_path,
        do,
        step_by_step=True,
        ask=lambda _question, _answers: next(answers),
    )
    assert do.applied == [2, 3, 4]


def test_no_log_hides_summary_outputs_and_words_but_not_the_result(tmp_path: Path) -> None:
    def act(_params: object, ctx: Context) -> StepResult:
        ctx.reporter.say("loud and secret")
        return done("hush")

    ran = play(
        """
        steps:
          - {do.it: {}, no_log: true, register: it}
          - {assert.that: {conditions: ["{{ it.value == 'hush' }}"]}}
        """,
        tmp_path,
        MadeUpStep(NAME="do.it", act=act),
    )
    assert ran.outcome.exit_code == ExitCode.OK
    journal = (ran.outcome.run_folder / "events.jsonl").read_text(encoding="utf-8")
    assert "hush" not in journal
    assert "loud" not in journal


def test_environment_reaches_programs_and_ends_with_its_block(tmp_path: Path) -> None:
    ran = play(
        """
        steps:
          - block: [{command.run: {argv: [sh, -c, "echo $WHO"]}, register: it}, {report.say: {text: "{{ it.stdout }}"}}]
            environment: {WHO: me}
          - {command.run: {argv: [sh, -c, "echo .$WHO."]}}
        """,
        tmp_path,
    )
    assert [line for line in ran.recorder.said() if line.strip()] == ["me", "me", ".."]


def test_vars_of_a_block_hold_inside_and_what_it_registers_is_known_after_it(tmp_path: Path) -> None:
    ran = play(
        """
        vars: {who: all}
        steps:
          - vars: {mine: me}
            block: [{do.it: {value: "{{ vars.mine }}"}, register: it}]
          - report.say: {text: "{{ it.value }} {{ vars.who }}"}
        """,
        tmp_path,
        echo(),
    )
    assert ran.recorder.said() == ["me all"]


def test_a_playbook_inside_a_playbook_has_params_of_its_own_and_gives_its_outputs(tmp_path: Path) -> None:
    (tmp_path / "child.yml").write_text(
        """
name: child
params: {who: {type: str, default: nobody}}
steps: [{do.it: {value: "{{ params.who }}"}, register: it}]
outputs: {said: "{{ it.value }}"}
""",
        encoding="utf-8",
    )
    ran = play(
        """
        params: {who: {type: str, default: outer}}
        steps:
          - {playbook: child.yml, vars: {who: inner}, register: child}
          - report.say: {text: "{{ child.said }} {{ params.who }}"}
        """,
        tmp_path,
        echo(),
    )
    assert ran.recorder.said() == ["inner outer"]


def test_items_that_steps_skip_make_a_strict_run_end_with_8(tmp_path: Path) -> None:
    def act(_params: object, ctx: Context) -> StepResult:
        ctx.reporter.item("general", "skipped", "forbidden")
        return done()

    step = MadeUpStep(NAME="do.it", act=act)
    assert play("steps: [{do.it: {}}]", tmp_path, step).outcome.exit_code == ExitCode.OK
    strict = play("steps: [{do.it: {}}]", tmp_path, step, strict=True, run_folder=tmp_path / "2")
    assert strict.outcome.exit_code == ExitCode.SKIPS


def test_only_chosen_steps_run(tmp_path: Path) -> None:
    do = echo()
    text = "steps: [{do.it: {value: 1}}, {block: [{do.it: {value: 2}}, {do.it: {value: 3}}]}]"
    ran = play(text, tmp_path, do, steps=frozenset({"block/do.it#2"}))
    assert do.applied == [3]
    assert list(ran.recorder.statuses()) == ["block/do.it#2", "block"]


@pytest.mark.parametrize("error", [SystemExit(0), KeyboardInterrupt()])
def test_a_step_that_exits_has_crashed_and_the_run_still_ends(tmp_path: Path, error: BaseException) -> None:
    def act(_params: object, _ctx: Context) -> StepResult:
        raise error

    ran = play("steps: [{leave.now: {}}]", tmp_path, MadeUpStep(NAME="leave.now", act=act))
    last = ran.recorder.bodies[-1]
    assert isinstance(last, RunEnded)
    assert (last.outcome, last.exit_code) == (Outcome.FAILED, 1)
    assert last.error is not None
    assert last.error.kind == "Crash"


def test_a_loop_that_is_skipped_and_a_step_that_cannot_begin_keep_their_names(tmp_path: Path) -> None:
    ran = play(
        "steps: [{name: Each Guild, loop: [], do.it: {}}, {name: Ask First, confirm: sure?, do.it: {}}]",
        tmp_path,
        echo(),
    )
    names = [body.step.name for body in ran.recorder.bodies if isinstance(body, StepEnded)]
    assert names == ["Each Guild", "Ask First"]


_COMPUTED = """
params: {go: {type: bool, default: false}}
steps:
  - name: each
    loop: [{id: a, after: stop}, {id: b, after: continue}, {id: c, after: stop}, {id: d, after: stop}]
    on_error: "{{ item.after }}"
    assert.that: {conditions: ["{{ item.id == 'a' }}"]}
  - report.say: {text: never}
"""


def test_on_error_is_computed_anew_for_each_item(tmp_path: Path) -> None:
    ran = play(_COMPUTED, tmp_path)
    assert [key for key in ran.recorder.statuses() if "[" in key] == ["each[a]", "each[b]", "each[c]"]
    assert ran.recorder.said() == []
    assert ran.outcome.exit_code == ExitCode.FAILED


def test_an_on_error_that_is_no_word_fails_the_step_before_it_does_anything(tmp_path: Path) -> None:
    ran = play(
        "steps: [{loop: [{w: perhaps}], on_error: '{{ item.w }}', report.say: {text: hi}}, {report.say: {text: next}}]",
        tmp_path,
    )
    assert ran.recorder.said() == []
    assert ran.outcome.exit_code == ExitCode.FAILED


def test_retries_and_delay_are_computed_anew_for_each_item(tmp_path: Path) -> None:
    ran = play(
        """
        steps:
          - loop: [{id: a, tries: 0}, {id: b, tries: 2}]
            on_error: continue
            retries: "{{ item.tries }}"
            delay: "{{ item.tries * 0.01 }}s"
            fail.now: {}
        """,
        tmp_path,
        failing(),
    )
    retried = [body.step.item for body in ran.recorder.bodies if isinstance(body, StepRetried)]
    assert retried == ["b", "b"]
