"""What a redrive does with letters, whatever their processors say."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from consumer.commands.redrive.deliver import Target
from consumer.errors import Rejected, SettingsError, Unavailable
from consumer.filters.pattern import Filter, Pattern
from consumer.processors.base import APPLIED, SKIPPED, STALE, Outcome, failed
from consumer.record import ChangeRecord
from tests.unit.commands.redrive.bench import DAY, NOW, REBUILD, Bench, Events, letter, written


class DiedError(BaseException):
    """The process is gone."""


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_letter_is_removed_after_all_its_processors_have_settled_it(bench: Bench) -> None:
    letters = bench.letters([letter(written("a"), processor=None)])

    tally = await bench.redrive(letters, bench.state("view"), bench.state("other", lambda _: STALE))

    assert bench.log == ["view applied a", "other stale a", "removed 0"]
    assert (tally.settled, tally.exit_code, letters.is_closed) == (Counter(applied=1), 0, True)


@pytest.mark.parametrize("outcome", [APPLIED, STALE, SKIPPED])
async def test_every_outcome_but_a_failure_settles(bench: Bench, outcome: Outcome) -> None:
    letters = bench.letters([letter(written("a"))])

    tally = await bench.redrive(letters, bench.state(act=lambda _: outcome))

    assert (letters.removed, tally.settled) == (["0"], Counter([outcome.kind]))


async def test_a_letter_that_fails_again_stays_and_the_others_of_its_batch_go(bench: Bench) -> None:
    error = Rejected("the value is empty", code="ValidationException")
    letters = bench.letters([letter(written(item)) for item in "abc"])

    tally = await bench.redrive(
        letters, bench.state(act=lambda change: failed(error) if change.item == "b" else APPLIED)
    )

    assert letters.removed == ["0", "2"]
    assert list(tally.summary()) == [
        "2 settled (2 applied), 1 stay",
        "  view  ValidationException  1, the first of them: letter 1 (id b)",
        "    the value is empty",
    ]
    assert tally.exit_code == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [(Rejected("no", code="TooLarge"), "TooLarge"), (ZeroDivisionError("by zero"), "ZeroDivisionError")],
)
async def test_where_a_processor_gives_up_its_batch_the_letter_at_fault_is_found(
    bench: Bench, error: Exception, code: str
) -> None:
    def act(change: ChangeRecord) -> Outcome:
        if change.item == "b":
            raise error
        return APPLIED

    letters = bench.letters([letter(written(item)) for item in "abc"])
    tally = await bench.redrive(letters, bench.state(act=act))

    assert letters.removed == ["0", "2"]
    assert [reason.code for reason in tally.reasons.values()] == [code]


async def test_an_outage_is_waited_for_and_told_and_only_what_waits_is_tried_again(bench: Bench) -> None:
    failures = iter([True, True, False])

    def act(change: ChangeRecord) -> Outcome:
        if change.item == "b" and next(failures):
            return failed(Unavailable("throttled", code="ThrottlingException"))
        return APPLIED

    processor = bench.state(act=act)
    letters = bench.letters([letter(written(item)) for item in "ab"])
    tally = await bench.redrive(letters, processor)

    assert [[change.item for change in batch] for batch in processor.batches] == [["a", "b"], ["b"], ["b"]]
    assert bench.told == ["throttled", "throttled", None]
    assert (letters.removed, tally.exit_code) == (["0", "1"], 0)


async def test_letters_of_one_item_go_one_after_the_other_in_their_order(bench: Bench) -> None:
    processor = bench.events("view")
    changes = [written("a", v="1"), written("b"), written("a", v="2"), written("a", v="3")]

    await bench.redrive(bench.letters(map(letter, changes)), processor, out_of_order=True)

    assert [[change.item for change in batch] for batch in processor.batches] == [["a", "b"], ["a"], ["a"]]
    sent = [bytes(change.new_image) for batch in processor.batches for change in batch if change.item == "a"]
    assert sent == [bytes(change.new_image) for change in changes if change.item == "a"]


async def test_events_are_redriven_only_where_somebody_says_so_and_are_marked(bench: Bench) -> None:
    processor = bench.events("view")
    texts = [letter(written("a"))]

    refused = await bench.redrive(bench.letters(texts), processor)
    assert (processor.batches, list(refused.reasons)) == ([], [("view", "OutOfOrder")])

    tally = await bench.redrive(bench.letters(texts), processor, out_of_order=True)
    assert tally.exit_code == 0
    assert [change.is_redriven for change in processor.batches[0]] == [True]


async def test_a_letter_for_all_goes_to_none_while_one_of_them_refuses_it(bench: Bench) -> None:
    letters = bench.letters([letter(written("a"), processor=None)])

    tally = await bench.redrive(letters, bench.state(), bench.events())

    assert (bench.log, tally.exit_code) == ([], 1)


async def test_a_change_past_the_horizon_is_settled_by_the_source(bench: Bench) -> None:
    letters = bench.letters([letter(written("old", age=2 * DAY)), letter(written("young"))])

    await bench.redrive(letters, bench.state())

    assert bench.log == ["view applied young", "view applied old by source", "removed 0", "removed 1"]


async def test_a_change_that_passes_the_horizon_while_it_waits_is_settled_by_the_source(bench: Bench) -> None:
    def act(_: ChangeRecord) -> Outcome:
        return failed(Unavailable("away", code="Away")) if bench.now == NOW else APPLIED

    def a_day_goes_by() -> None:
        bench.now += DAY

    bench.on_wait = a_day_goes_by
    await bench.redrive(bench.letters([letter(written("a"))]), bench.state(act=act))

    assert bench.log == ["view failed a", "view applied a by source", "removed 0"]


async def test_what_the_filters_leave_out_is_settled_without_the_processor(bench: Bench) -> None:
    letters = bench.letters([letter(written("a")), letter(written("b"))])
    only_a = Filter([Pattern('{"dynamodb": {"Keys": {"id": {"S": ["a"]}}}}')])

    tally = await bench.redrive(letters, bench.state(), filters=only_a)

    assert bench.log[0] == "view applied a"
    assert (tally.settled, letters.removed) == (Counter(applied=1, filtered=1), ["0", "1"])


async def test_a_change_of_another_table_that_no_processor_was_given_is_none_of_their_business(
    bench: Bench,
) -> None:
    letters = bench.letters([letter(written("a", table="another"), processor=None)])

    tally = await bench.redrive(letters, bench.state())

    assert (bench.log, tally.settled) == (["removed 0"], Counter(skipped=1))


async def test_a_stop_ends_a_wait_removes_what_is_settled_and_leaves_the_rest(bench: Bench) -> None:
    def act(change: ChangeRecord) -> Outcome:
        return failed(Unavailable("away", code="Away")) if change.item == "b" else APPLIED

    bench.on_wait = bench.stop.set
    letters = bench.letters([letter(written(item)) for item in "ab"])
    tally = await bench.redrive(letters, bench.state(act=act))

    assert (letters.removed, letters.is_closed) == (["0"], True)
    assert list(tally.summary()) == ["cut short: interrupted", "1 settled (1 applied), 1 untouched"]
    assert tally.exit_code == 1


async def test_a_stop_does_not_wait_for_a_call_that_hangs(bench: Bench) -> None:
    class Hangs(Events):
        async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
            bench.stop.set()
            await asyncio.Event().wait()
            raise AssertionError(records)

    letters = bench.letters([letter(written("a"))])
    tally = await bench.redrive(letters, Hangs("view", bench.log), out_of_order=True)

    assert (letters.removed, tally.untouched, tally.cut_short) == ([], 1, "interrupted")


async def test_a_place_that_is_away_is_waited_for(bench: Bench) -> None:
    failures = iter([True, False, True, False, False])

    def step() -> None:
        if next(failures):
            raise Unavailable("the queue is away", code="Away")

    letters = bench.letters([letter(written("a"))], step)
    tally = await bench.redrive(letters, bench.state())

    assert (letters.removed, tally.exit_code) == (["0"], 0)
    assert bench.told == ["the queue is away", None, "the queue is away", None]


async def test_what_is_settled_and_can_not_be_removed_is_told(bench: Bench) -> None:
    steps = iter([None, SettingsError("not allowed; allow sqs:DeleteMessage")])

    def step() -> None:
        if error := next(steps):
            raise error

    tally = await bench.redrive(bench.letters([letter(written("a"))], step), bench.state())

    assert list(tally.summary()) == [
        "cut short: not allowed; allow sqs:DeleteMessage",
        "1 settled (1 applied)",
        "1 are settled but not removed: the next redrive finds them stale",
    ]
    assert tally.exit_code == 1


async def test_a_letter_that_was_written_anew_meanwhile_stays(bench: Bench) -> None:
    letters = bench.letters([letter(written("a")), letter(written("b"))])
    letters.anew = {"0"}

    tally = await bench.redrive(letters, bench.state())

    assert (tally.settled, list(tally.reasons)) == (Counter(applied=1), [("-", "Changed")])


async def test_no_more_letters_are_taken_than_the_limit(bench: Bench) -> None:
    letters = bench.letters([letter(written(f"item-{number}")) for number in range(120)])

    tally = await bench.redrive(letters, bench.state(), limit=70)

    assert (tally.taken, len(letters.removed)) == (70, 70)


async def test_wherever_the_process_dies_no_letter_is_removed_unsettled_and_the_next_settles_the_rest() -> (
    None
):
    texts = [letter(written(f"item-{number}"), number=number) for number in range(3)] + [
        letter(written("all"), processor=None)
    ]
    steps_of_a_whole_run = 8
    for last_step in range(steps_of_a_whole_run):
        bench, steps = Bench(), iter(range(last_step))

        def step() -> None:
            if next(steps, None) is None:  # noqa: B023 - called within its own round
                raise DiedError

        def act(_: ChangeRecord) -> Outcome:
            step()
            return APPLIED

        letters = bench.letters(texts, step)
        with pytest.raises(DiedError):
            await bench.redrive(letters, bench.state("view", act), bench.state("other", act))
        for key in letters.removed:
            before = bench.log[: bench.log.index(f"removed {key}")]
            item = "all" if key == "3" else f"item-{key}"
            settled = {line for line in before if line.endswith(f" applied {item}")}
            assert settled >= {f"view applied {item}"} | ({"other applied all"} if key == "3" else set())
        rest = [text for at, text in enumerate(texts) if str(at) not in letters.removed]
        tally = await Bench().redrive(Bench().letters(rest), Bench().state(), Bench().state("other"))
        assert tally.exit_code == 0


async def test_a_letter_for_all_stays_where_only_one_processor_was_asked_for(bench: Bench) -> None:
    letters = bench.letters([letter(written("a"), processor=None)])

    tally = await bench.redrive(letters, bench.state("view"), bench.state("other"), only="view")

    assert (bench.log, list(tally.reasons)) == (["view applied a"], [("-", "OtherProcessors")])


async def test_a_letter_of_the_rebuild_that_was_cut_over_to_is_the_application_s_own(bench: Bench) -> None:
    tally = await bench.redrive(bench.letters([letter(written("a"), application=REBUILD)]), bench.state())

    assert (bench.log, tally.exit_code) == (["view applied a", "removed 0"], 0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{}", ("-", "NotALetter")),
        (letter(written("a"), application="another"), ("view", "OtherApplication")),
        (letter(written("a"), processor="gone"), ("gone", "NoSuchProcessor")),
        (letter(written("a", table="another")), ("view", "OtherTable")),
    ],
)
async def test_what_is_none_of_the_settings_business_stays(
    bench: Bench, text: bytes, reason: tuple[str, str]
) -> None:
    tally = await bench.redrive(bench.letters([text]), bench.state())

    assert (bench.log, list(tally.reasons)) == ([], [reason])


async def test_a_processor_that_keeps_state_and_can_not_settle_by_the_source_is_a_mistake(
    bench: Bench,
) -> None:
    with pytest.raises(TypeError, match="can't settle a change by the source"):
        assert Target("view", bench.events(), keeps_state=True).state


async def test_letters_that_another_redrive_holds_are_told_of(bench: Bench) -> None:
    letters = bench.letters([])
    letters.held_by_others = 15

    tally = await bench.redrive(letters, bench.state())

    none, hidden = tally.summary()
    assert none == "no letters"
    assert hidden.startswith("about 15 more were hidden when it began: another redrive holds them")
