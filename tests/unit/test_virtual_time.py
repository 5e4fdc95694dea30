import asyncio

import pytest

from tests.support.virtual_time import StuckError, run_in_virtual_time


def test_time_passes_only_as_far_as_somebody_waits_for_it() -> None:
    async def woken_at() -> list[float]:
        loop = asyncio.get_running_loop()
        times: list[float] = []
        for delay in (0.0, 3_600.0, 0.25):
            await asyncio.sleep(delay)
            times.append(loop.time())
        return times

    assert run_in_virtual_time(woken_at) == [0.0, 3_600.0, 3_600.25]


def test_who_waits_less_goes_first() -> None:
    async def order() -> list[str]:
        came: list[str] = []

        async def come(name: str, after: float) -> None:
            await asyncio.sleep(after)
            came.append(name)

        await asyncio.gather(come("late", 2.0), come("early", 1.0))
        return came

    assert run_in_virtual_time(order) == ["early", "late"]


def test_waiting_for_ever_is_an_error() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(StuckError, match="no timer is set"):
        run_in_virtual_time(wait)


def test_going_in_a_circle_is_an_error() -> None:
    async def go_round() -> None:
        while True:  # noqa: ASYNC110 - going round is the case
            await asyncio.sleep(0)

    with pytest.raises(StuckError, match="in a circle"):
        run_in_virtual_time(go_round)
