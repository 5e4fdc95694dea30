"""A writer in a process of its own, to be frozen or killed in a transaction: writes a change of item `a`."""

import asyncio
import sys
from dataclasses import replace

from tests.support.changes import put
from tests.support.sql_model import LIMITS, SqlModel, kinds


async def main(url: str, micros: str, value: str) -> None:
    limits = replace(LIMITS, idle=1.0)
    async with SqlModel(url, limits=limits).open() as processor:
        try:
            (end,) = await kinds(processor, put("a", int(micros), v=value))
        except Exception as error:  # noqa: BLE001 - the test looks at it
            end = f"{type(error).__name__}: {error}"
    sys.stdout.write(f"{end}\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
