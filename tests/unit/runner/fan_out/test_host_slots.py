"""Which host gets the next item: one that is there and free, and only ever the one that keeps its run."""

from dataclasses import replace

from dce_play.runner.fan_out.cluster_checks import WorkerFacts
from dce_play.runner.fan_out.host_slots import HostSlots
from dce_play.runner.fan_out.order import ItemOrder

ORDER = ItemOrder(run_id="r.1", session="0", node="work", path="", depth=0, key="a", item="a")


def worker(host: str, slots: int = 1) -> WorkerFacts:
    return WorkerFacts(address="", host=host, slots=slots, version="1", plugins="", home=f"machine:/{host}")


def looked(*workers: WorkerFacts) -> HostSlots:
    slots = HostSlots()
    slots.look(workers)
    return slots


def test_an_item_for_anybody_goes_to_the_host_with_most_places_free_and_is_bound_to_its_folder() -> None:
    slots = looked(worker("lab1"), worker("lab2"), worker("lab2"))
    bound = slots.bind(ORDER)
    assert bound == replace(ORDER, host="lab2", home="machine:/lab2")
    slots.count("lab2", 2)
    assert slots.bind(ORDER) == replace(ORDER, host="lab1", home="machine:/lab1")
    slots.count("lab1", 1)
    assert slots.bind(ORDER) is None


def test_an_item_that_was_begun_keeps_its_home_whatever_its_host_tells_now() -> None:
    begun = replace(ORDER, host="lab1", home="machine:/old")
    assert looked(worker("lab1")).bind(begun) == begun


def test_a_host_that_went_keeps_its_items_but_gets_none_that_another_may_take() -> None:
    slots = looked(worker("lab1", 4), worker("lab2"))
    slots.look([worker("lab2")])
    assert not slots.has("lab1")
    assert slots.knows("lab1")
    assert slots.bind(replace(ORDER, host="lab1")) == replace(ORDER, host="lab1", home="machine:/lab1")
    assert slots.bind(ORDER) == replace(ORDER, host="lab2", home="machine:/lab2")
    slots.count("lab2", 1)
    assert slots.bind(ORDER) is None


def test_an_item_whose_host_nobody_has_comes_back_as_it_is() -> None:
    slots = looked(worker("lab1"))
    order = replace(ORDER, host="nowhere")
    assert not slots.knows("nowhere")
    assert slots.bind(order) == order
    assert HostSlots().bind(ORDER) == ORDER
