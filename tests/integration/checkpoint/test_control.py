"""The control row on DynamoDB as the sandbox has it: of two who change it, one does."""

import asyncio
from dataclasses import replace

import pytest_asyncio

from checkpoint.api import Api
from checkpoint.control import NEVER, Control, Controls, Pointer
from checkpoint.positions import Positions

STOP = Control(phase="stop", token="1", since=1_800_000_000, into="view-2", application="b", fingerprint="f")  # noqa: S106 - no secret


@pytest_asyncio.fixture
async def controls(dynamodb: Api, prefix: str) -> Controls:
    positions = Positions(dynamodb, prefix)
    await positions.create()
    await positions.write_processors({"view": "old", "other": "o"})
    return Controls(dynamodb, prefix)


async def test_where_there_is_no_table_nothing_was_ever_cut_over(dynamodb: Api, prefix: str) -> None:
    assert await Controls(dynamodb, prefix).read() == {}
    assert await Controls(dynamodb, prefix).read_pointers(["view"]) == {}


async def test_what_is_written_is_read_and_each_processor_has_its_own(controls: Controls) -> None:
    other = replace(STOP, into="other-2")
    assert await controls.change("view", NEVER, STOP)
    assert await controls.change("other", NEVER, other)
    assert await controls.read() == {"view": STOP, "other": other}


async def test_what_the_model_was_made_by_before_is_kept(controls: Controls) -> None:
    first = replace(STOP, earlier=NEVER.succeeding("old", "f"))
    assert await controls.change("view", NEVER, first)
    assert (await controls.read())["view"].earlier == ("old",)
    assert await controls.change("view", first, replace(first, earlier=()))
    assert (await controls.read())["view"].earlier == ()


def test_the_settings_of_earlier_models_are_told_once_each_and_not_for_ever() -> None:
    control = replace(STOP, earlier=("a", "b"))
    assert control.succeeding("c", "d") == ("a", "b", "c")
    assert control.succeeding("b", "a") == ("b",)
    assert control.succeeding("b", "b") == ("a",), "the same settings: the model was damaged"
    assert NEVER.succeeding(None, "a") == ()
    many = replace(STOP, earlier=tuple(map(str, range(16))))
    assert many.succeeding("16", "17") == tuple(map(str, range(1, 17)))


async def test_only_what_was_read_is_replaced(controls: Controls) -> None:
    assert await controls.change("view", NEVER, STOP)
    back = replace(STOP, phase="live")
    assert not await controls.change("view", NEVER, replace(STOP, token="2"))  # noqa: S106 - no secret
    assert await controls.change("view", STOP, back)
    assert not await controls.change("view", STOP, replace(STOP, phase="swapping"))
    assert await controls.read() == {"view": back}


async def test_a_change_whose_answer_was_lost_is_taken_for_done(controls: Controls) -> None:
    assert await controls.change("view", NEVER, STOP)
    assert await controls.change("view", NEVER, STOP)


async def test_of_many_who_begin_at_once_one_does(controls: Controls) -> None:
    began = await asyncio.gather(
        *(controls.change("view", NEVER, replace(STOP, token=str(number))) for number in range(8))
    )
    assert began.count(True) == 1


async def test_readers_and_the_processor_go_over_in_one_transaction(
    controls: Controls, dynamodb: Api, prefix: str
) -> None:
    await controls.change("view", NEVER, STOP)
    assert await controls.finish("view", STOP, at=1_800_000_009, pointer=Pointer("view-2", "view-2-ledger"))

    live = replace(STOP, phase="live", generation=1, since=1_800_000_009)
    assert await controls.read() == {"view": live}
    assert await controls.read_pointers(["view", "other"]) == {"view": Pointer("view-2", "view-2-ledger")}
    assert await Positions(dynamodb, prefix).read_processors() == {"view": "f", "other": "o"}
    assert await controls.finish("view", STOP, at=1_800_000_009, pointer=None), "it is done already"


async def test_who_was_taken_back_can_not_finish(controls: Controls, dynamodb: Api, prefix: str) -> None:
    await controls.change("view", NEVER, STOP)
    await controls.change("view", STOP, replace(STOP, phase="live"))

    assert not await controls.finish("view", STOP, at=1_800_000_009, pointer=Pointer("view-2", None))

    assert await controls.read_pointers(["view"]) == {}
    assert await Positions(dynamodb, prefix).read_processors() == {"view": "old", "other": "o"}
