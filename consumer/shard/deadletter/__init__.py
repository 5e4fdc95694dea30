"""Where a record goes that can't be applied: whole, with the reason, and never lost.

`letter` is the document and its two directions, `places` chooses where the settings send it, and each kind of
place has a module. Nothing here decides whether a record is dead.
"""
