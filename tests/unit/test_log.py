import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from consumer.log import open_log, take_standard_logging


def lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def root_logging() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def test_a_line_says_when_how_grave_and_what_in_that_order() -> None:
    stream = io.BytesIO()
    open_log(stream, process="pod").warning("daemon ended", exit_code=1)

    (line,) = lines(stream)
    assert list(line) == ["timestamp", "level", "event", "process", "exit_code"]
    assert (line["level"], line["event"], line["process"], line["exit_code"]) == (
        "warning",
        "daemon ended",
        "pod",
        1,
    )


def test_an_exception_stays_on_the_line_of_its_event() -> None:
    stream = io.BytesIO()
    try:
        raise KeyError("absent")  # noqa: TRY301 - there is nothing to call
    except KeyError:
        open_log(stream).exception("lookup failed")

    (line,) = lines(stream)
    assert "KeyError: 'absent'" in line["exception"]


@pytest.mark.usefixtures("root_logging")
def test_what_libraries_log_comes_out_as_json_too() -> None:
    stream = io.BytesIO()
    take_standard_logging(open_log(stream, process="pod"))
    logging.getLogger("asyncio").warning("took %s s, 100%% {busy}", 3)
    logging.getLogger("asyncio").info("not worth a line")

    (line,) = lines(stream)
    assert line["event"] == "took 3 s, 100% {busy}"
    assert line["logger"] == "asyncio"


@pytest.mark.usefixtures("root_logging")
@pytest.mark.parametrize("client", ["opensearch", "psycopg"])
def test_a_stores_client_does_not_log_each_try_of_an_outage(client: str) -> None:
    stream = io.BytesIO()
    take_standard_logging(open_log(stream))
    logging.getLogger(client).warning("POST /_bulk [status:N/A]", exc_info=OSError("refused"))
    logging.getLogger(client).error("what it calls an error is one")

    (line,) = lines(stream)
    assert line["event"] == "what it calls an error is one"


def test_a_reader_that_went_away_stops_nobody() -> None:
    stream = io.BytesIO()
    log = open_log(stream)
    stream.close()

    log.info("still running")
