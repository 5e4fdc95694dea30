"""A line in the log for each letter that is kept, and for the first failure to keep one."""

from consumer.errors import Unavailable
from consumer.log import Logger
from consumer.shard.deadletter.letter import DeadLetter, DeadLetters, Origin, letter_id


class LoggedDeadLetters:
    """Letters are told by id and code: an error's message may quote what the item holds."""

    def __init__(self, place: DeadLetters, origin: Origin, log: Logger) -> None:
        self._place = place
        self._origin = origin
        self._log = log
        self._waiting: set[str] = set()

    async def write(self, letter: DeadLetter) -> None:
        """Keep the letter where it belongs.

        Raises:
            Unavailable: it is not kept, whatever the reason. One that nobody foresaw must not end the
            process, with all leases of the pod behind it, each time the record comes again.
        """
        identifier = letter_id(letter, self._origin)
        try:
            await self._write(letter)
        except Unavailable as error:
            if identifier not in self._waiting:
                self._waiting.add(identifier)
                self._log.warning("a dead letter can't be written", letter=identifier, reason=error.code)
            raise
        self._waiting.discard(identifier)
        self._log.warning("a record went to the dead letter", letter=identifier, code=letter.error.code)

    async def _write(self, letter: DeadLetter) -> None:
        try:
            await self._place.write(letter)
        except Unavailable:
            raise
        except Exception as error:
            self._log.exception("writing a dead letter failed", letter=letter_id(letter, self._origin))
            raise Unavailable(str(error) or "no message", code=type(error).__name__) from error
