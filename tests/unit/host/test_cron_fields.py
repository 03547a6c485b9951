import pytest

from dce_play.host.cron_fields import InvalidSchedule, check_schedule, interval_schedule


@pytest.mark.contract("R-12.04", "C-07")
@pytest.mark.parametrize(
    "text",
    ["0 4 1 * *", "*/15 0-23 1,15 jan-mar mon-fri", "59 23 31 12 7", "  0   4 * * sun ", "0-30/5 * * * *"],
)
def test_schedules_that_cron_takes_are_taken(text: str) -> None:
    assert check_schedule(text) == " ".join(text.split())


@pytest.mark.contract("R-12.04", "D-22", "C-06")
@pytest.mark.parametrize(
    "text",
    [
        "99 99 99 99 99",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "* * * *",
        "* * * * * *",
        "@daily",
        "0 2 * * *; touch /tmp/x",
        "5-1 * * * *",
        "*/0 * * * *",
        "mon * * * *",
        "* * * * foo",
        "1- * * * *",
        "٣ * * * *",
        "",
    ],
)
def test_schedules_that_cron_refuses_or_misreads_are_refused(text: str) -> None:
    with pytest.raises(InvalidSchedule):
        check_schedule(text)


@pytest.mark.contract("R-12.04")
@pytest.mark.parametrize(
    ("interval", "fields"),
    [("monthly", "15 03 1 * *"), ("weekly", "15 03 * * 0"), ("daily", "15 03 * * *")],
)
def test_intervals_give_the_operators_schedules(interval: str, fields: str) -> None:
    assert interval_schedule(interval, "03:15") == fields


@pytest.mark.contract("R-12.04")
@pytest.mark.parametrize(("interval", "at"), [("hourly", "04:00"), ("daily", "24:00"), ("daily", "4:00")])
def test_other_intervals_and_times_are_refused(interval: str, at: str) -> None:
    with pytest.raises(InvalidSchedule):
        interval_schedule(interval, at)
