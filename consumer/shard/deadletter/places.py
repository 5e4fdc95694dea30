"""Where the settings send dead letters."""

import time
from pathlib import Path

from consumer.errors import SettingsError, Unavailable
from consumer.settings.model import Delivery
from consumer.shard.deadletter.file import FileDeadLetters
from consumer.shard.deadletter.letter import DeadLetter, DeadLetters, Origin


class NoDeadLetters:
    """None is configured: the record blocks until one is, since nothing is ever skipped."""

    async def write(self, letter: DeadLetter) -> None:
        """Refuse, with what to do."""
        message = (
            f"a record can't be applied ({letter.error.code}: {letter.error}) and no dead letter is "
            "configured, so it blocks its item, and its shard once the window is full; set "
            "delivery.on_failure in the settings"
        )
        raise Unavailable(message, code="NoDeadLetter")


class DeadLetterPlaces:
    """Where each processor's settings send its dead letters; who shares a file shares its writer."""

    def __init__(self, origin: Origin) -> None:
        """Take what every letter of the shard says of its source."""
        self._origin = origin
        self._files: dict[str, FileDeadLetters] = {}

    def of(self, delivery: Delivery) -> DeadLetters:
        """The place that these delivery settings name."""
        on_failure = delivery.on_failure
        if on_failure is None:
            return NoDeadLetters()
        if on_failure.file is None:
            raise SettingsError("dead letters go to a file only")
        path = on_failure.file.path
        return self._files.setdefault(path, FileDeadLetters(Path(path), self._origin, time.time))
