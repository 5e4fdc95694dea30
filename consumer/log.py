"""Logs: one JSON object a line on stderr, the same keys from every process of the pod.

Keys: `timestamp` (UTC, ISO 8601), `level`, `event` (what happened), and what else is known of it. The KCL
daemon's own lines have the same keys (pod/daemon.py). A logger is made once in a process and handed on.
"""

import logging
import sys
from contextlib import suppress
from typing import IO, cast

import orjson
import structlog
from structlog.typing import FilteringBoundLogger

Logger = FilteringBoundLogger

_TOLD_BY_US = frozenset({"opensearch", "psycopg"})
"""Stores' clients that warn of each request that fails, or of its connection, beside raising the error."""


class _Lines:
    """Writes finished lines, each in one piece; a reader that has gone away is no reason to stop."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def msg(self, line: bytes) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(line + b"\n")
            self._stream.flush()

    debug = info = warning = error = critical = exception = msg


def open_log(stream: IO[bytes] | None = None, **fields: object) -> Logger:
    """A logger whose lines all carry `fields`; stream: standard error unless said otherwise."""
    logger = structlog.wrap_logger(
        _Lines(stream or sys.stderr.buffer),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _in_order,
            structlog.processors.JSONRenderer(serializer=_encode),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return cast("Logger", logger.bind(**fields))


def take_standard_logging(logger: Logger, level: int = logging.WARNING) -> None:
    """Send what libraries log in the standard way (asyncio, uvicorn, botocore) to our logger."""
    logging.basicConfig(level=level, handlers=[_Forwarder(logger)], force=True)


class _Forwarder(logging.Handler):
    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        if record.name in _TOLD_BY_US and record.levelno < logging.ERROR:
            return
        self._logger.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


def _in_order(
    _logger: object, _method: str, fields: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    first = {key: fields.pop(key) for key in ("timestamp", "level", "event")}
    return {**first, **fields}


def _encode(fields: structlog.typing.EventDict, **_: object) -> bytes:
    return orjson.dumps(fields, default=str, option=orjson.OPT_NON_STR_KEYS)
