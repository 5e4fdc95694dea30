"""Dead letters that are redriven, whenever that is, end at the truth.

An old part of the history is delivered, without the letters. Then a day goes by, so that the tombstones of
that part may expire at any moment, while letters are redriven, new changes are written and delivered, and
redrives die at any call and are started again.
"""

import asyncio
from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from consumer.attributes import NO_IMAGE_DIGEST, RESERVED
from consumer.processors.gate import stamp_from_attribute
from consumer.record import Image
from tests.property.test_projection import MS, US, WHENS, Shard, Tenure, Write, Written, carry_out, streams
from tests.support.interleaving import Interleaver

DAY = 86_400_000_000


@st.composite
def histories(draw: st.DrawFn) -> list[Written]:
    """Writes to one or two items, and after a day some more."""
    write = st.tuples(
        st.sampled_from(draw(st.sampled_from(["x", "xy"]))),
        st.sampled_from(["a", "b", None]),
        st.sampled_from([0, 1, 300, 1_000]),
        st.sampled_from(draw(st.sampled_from([[US], [MS], [US, MS]]))),
    )
    old = draw(st.lists(write, min_size=1, max_size=6))
    new = draw(st.lists(write, max_size=5))
    return carry_out([*old, *_a_day_later(new)])


def _a_day_later(writes: Sequence[Write]) -> list[Write]:
    return [
        (item, value, micros + DAY if number == 0 else micros, granularity)
        for number, (item, value, micros, granularity) in enumerate(writes)
    ]


class Redrive:
    """One process that redrives; a letter is removed a while after it is settled, if the process lives."""

    def __init__(self, shard: Shard, letters: Sequence[int], old: int, removed: set[int]) -> None:
        self._shard = shard
        self._letters = letters
        self._old = old
        self._removed = removed
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        processor, pause = self._shard.processor(), self._shard.interleaver.pause
        for number in self._letters:
            while number >= self._shard.written:
                await pause("a letter to come")
            settle = processor.settle_by_source if number < self._old else processor.process
            while number not in self._removed:
                (outcome,) = await settle([self._shard.history[number].record])
                await pause("settled, and not removed yet")
                if outcome.error is None:
                    self._removed.add(number)


def tombstones(shard: Shard) -> list[tuple[str, Image]]:
    return [
        (key, row)
        for key, row in shard.view.rows.items()
        if stamp_from_attribute(row[RESERVED]).digest == NO_IMAGE_DIGEST
    ]


async def deliver_old_part(shard: Shard, old: int) -> None:
    while shard.written < old:
        shard.write_next(whole_millisecond=True)
    tenure = Tenure(shard, 0, 2)
    while not tenure.task.done():
        await shard.interleaver.step()
    tenure.task.result()


async def redrive(shard: Shard, letters: list[int], old: int, random: Random) -> None:
    """Let everything happen that may, in an order of the schedule's choice."""
    removed: set[int] = set()
    expiring = tombstones(shard)
    live = Tenure(shard, 0, random.choice([1, 3]))
    redrives = [Redrive(shard, letters, old, removed)]
    crashes, expiry = random.choice([0, 2, 4]), random.choice([0.05, 0.5])
    while not (live.task.done() and all(each.task.done() for each in redrives)):
        await shard.interleaver.step()
        if random.random() < 0.2:
            shard.write_next(whole_millisecond=True)
        if expiring and random.random() < expiry:
            key, row = expiring.pop()
            if shard.view.rows.get(key) is row:
                del shard.view.rows[key]
        if crashes and random.random() < 0.2:
            crashes -= 1
            if random.random() < 0.7:
                redrives[-1].task.cancel()
            redrives.append(Redrive(shard, random.sample(letters, len(letters)), old, removed))
    await asyncio.gather(*(each.task for each in redrives), return_exceptions=True)
    live.task.result()
    redrives[-1].task.result()


@given(st.data(), histories().filter(bool), WHENS, st.randoms(use_true_random=False))
def test_redriven_letters_end_at_the_truth(
    data: st.DataObject, history: list[Written], when: str | None, random: Random
) -> None:
    old = sum(1 for write in history if write.micros < history[0].micros + DAY / 2)
    letters = sorted(data.draw(st.sets(st.integers(0, len(history) - 1), min_size=1), label="letters"))
    order = data.draw(st.permutations(letters), label="order")

    def stream(first: int, last: int) -> list[int]:
        numbers = [number for number in range(first, last) if number not in letters]
        return [numbers[place] for place in data.draw(streams(len(numbers)))]

    parts = stream(0, old), stream(old, len(history))

    async def scenario() -> None:
        shard = Shard(history, parts[0], when, Interleaver(random))
        await deliver_old_part(shard, old)
        shard.stream = parts[1]
        await redrive(shard, order, old, random)
        assert shard.rows() == shard.truth()

    asyncio.run(scenario())


async def test_by_the_gate_alone_a_deleted_item_would_come_back() -> None:
    """What settling by the source is for."""
    history = carry_out([("x", "a", 0, US), ("x", None, 1, US)])
    for settled_by_source in (False, True):
        shard = Shard(history, [1], None, Interleaver(Random(0)))
        await deliver_old_part(shard, 2)
        for key, _ in tombstones(shard):
            del shard.view.rows[key]
        processor = shard.processor()
        settle = processor.settle_by_source if settled_by_source else processor.process
        task = asyncio.create_task(settle([history[0].record]))
        while not task.done():
            await shard.interleaver.step()
        assert shard.rows() == ({} if settled_by_source else {"x": history[0].image})
