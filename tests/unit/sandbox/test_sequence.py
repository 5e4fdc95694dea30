import re
from itertools import pairwise

import pytest

from sandbox.kinesis.sequence import DIGITS, SequenceNumbers, before, widened


def test_numbers_grow_as_numbers_and_as_text_even_when_the_clock_steps_back() -> None:
    times = iter([1000.0, 2000.0, 1500.0, 1500.0])
    numbers = SequenceNumbers(lambda: next(times))
    made = [numbers.next() for _ in range(4)]
    assert all(int(one) < int(next_one) and one < next_one for one, next_one in pairwise(made))


def test_numbers_have_the_width_and_the_pattern_of_aws() -> None:
    number = SequenceNumbers(lambda: 1.8e9).next()
    assert len(number) == DIGITS
    assert re.fullmatch(r"0|([1-9]\d{0,128})", number)


def test_a_clients_number_is_compared_at_full_width() -> None:
    assert widened("7") < widened("10")
    assert before(widened("10")) == widened("9")
    assert before(widened("0")) == widened("0")


@pytest.mark.parametrize("text", ["", "abc", "-1", "1.5", " 1"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a sequence number"):
        widened(text)
