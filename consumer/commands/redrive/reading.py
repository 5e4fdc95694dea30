"""A letter as it was found -> the change it holds, or why it has to stay."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import msgspec

from consumer.commands.redrive.source import Found
from consumer.errors import SettingsError, Undecodable
from consumer.record import ChangeRecord
from consumer.shard.deadletter.letter import ClaimCheck, KeptLetter, UnreadableLetterError, from_document
from consumer.shard.envelopes import decode


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter of this application, whole.

    Attributes:
        claim_check: where its whole text was fetched from, if it was.
    """

    found: Found
    kept: KeptLetter
    change: ChangeRecord
    claim_check: ClaimCheck | None = None


@dataclass(frozen=True, slots=True)
class Stays:
    """A letter that can't be put through, and why; those of one `code` are counted together.

    Attributes:
        kept: None where it is no letter at all.
    """

    found: Found
    code: str
    message: str
    kept: KeptLetter | None = None


class ClaimChecks(Protocol):
    """Where the letters are that were too large for their queue."""

    async def fetch(self, check: ClaimCheck) -> bytes | None:
        """What stands there; None: nothing. Raises Unavailable, or SettingsError where it may not be read."""
        ...

    async def remove(self, check: ClaimCheck) -> None:
        """Remove it; raises as `fetch`."""
        ...


class Reader:
    """Reads letters of one application, and of the rebuilds that its processors were cut over to."""

    def __init__(self, applications: Collection[str], claim_checks: ClaimChecks) -> None:
        self._applications = applications
        self._claim_checks = claim_checks

    async def read(self, found: Found) -> Letter | Stays:
        """The letter; raises what fetching a claim check raises."""
        try:
            kept = from_document(found.text)
        except UnreadableLetterError as error:
            return Stays(found, "NotALetter", str(error))
        if kept.application not in self._applications:
            message = (
                f"a letter of application {kept.application!r}; redrive it with that application's settings"
            )
            return Stays(found, "OtherApplication", message, kept)
        if kept.claim_check is None:
            return _decoded(found, kept, None)
        return await self._fetched(found, kept, kept.claim_check)

    async def _fetched(self, found: Found, kept: KeptLetter, check: ClaimCheck) -> Letter | Stays:
        try:
            text = await self._claim_checks.fetch(check)
        except SettingsError as error:
            return Stays(found, "ClaimCheckRefused", str(error), kept)
        if text is None:
            message = (
                f"all of it stood in {check.s3}, which is gone; where another copy of the letter was"
                " redriven, delete this one"
            )
            return Stays(found, "ClaimCheckMissing", message, kept)
        is_same = len(text) == check.bytes and hashlib.sha256(text).hexdigest() == check.sha256.lower()
        if not is_same:
            message = f"{check.s3} holds something else than was put there: its size or SHA-256 differs"
            return Stays(found, "ClaimCheckChanged", message, kept)
        try:
            whole = from_document(text)
        except UnreadableLetterError as error:
            return Stays(found, "ClaimCheckChanged", f"{check.s3}: {error}", kept)
        if whole.letter_id != kept.letter_id or whole.record is None:
            message = f"{check.s3} holds another letter than the one that points to it"
            return Stays(found, "ClaimCheckChanged", message, kept)
        return _decoded(found, whole, check)


def _decoded(found: Found, kept: KeptLetter, check: ClaimCheck | None) -> Letter | Stays:
    if kept.record is None:
        raise AssertionError(kept)
    try:
        change = decode(kept.record)
    except Undecodable as error:
        return Stays(found, error.code, str(error), kept)
    return Letter(found, kept, msgspec.structs.replace(change, is_redriven=True), check)
