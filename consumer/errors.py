"""What can go wrong, and whose fault it is.

TidemarkError
├── SettingsError        a setting, the file or what AWS has at that name is wrong: a person must change
something (exit 2)
├── Rejected             the record is at fault: attempts, then the dead letter
│   └── Undecodable      the bytes are not a change record at all
├── Unavailable          a store or service is at fault: wait and try again, without end
└── LeaseLost            another worker owns the shard now: stop, write nothing more

Whether a store's answer is Rejected or Unavailable is decided by the store's closed table of codes: what is
not listed is Unavailable.
"""


class TidemarkError(Exception):
    """Root of every error Tidemark raises on purpose."""


class SettingsError(TidemarkError):
    """Something a person has to put right before the service can run; its text says what, where and how."""


class Rejected(TidemarkError):  # noqa: N818 - an outcome's name, as in the design, not "RejectedError"
    """The record itself can't be applied; trying it again as it is won't help for long.

    Attributes:
        code: short, stable name of the reason ("ValidationException", "KeyIsNull"): counted and put in the
        dead letter.
        by_store: a store, or what stands in it, refused the record, for another reason than its size. Many of
        these in a row are the store's fault (a wrong schema or table) and no record's.
    """

    def __init__(self, message: str, *, code: str, by_store: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.by_store = by_store


class Undecodable(Rejected):
    """The record's bytes are not JSON, not a change envelope, or lack the item's keys."""


class Unavailable(TidemarkError):  # noqa: N818 - an outcome's name, as in the design
    """A store or service can't take the write now; never counts as an attempt, never dead-letters.

    Attributes:
        code: the store's own code or the transport error's name.
        of_item: the store answered, and it is this item alone that waits, such as for a key another item has.
    """

    def __init__(self, message: str, *, code: str, of_item: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.of_item = of_item


class LeaseLost(TidemarkError):  # noqa: N818 - KCL's own word for the event
    """Another worker owns the shard's lease; nothing may be checkpointed any more."""
