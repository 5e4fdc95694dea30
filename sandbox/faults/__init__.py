"""The fault switch: what a fault is, whom it strikes, how a request fails, and the client that tests use.

Faults are added and removed over HTTP while the sandbox runs (/_sandbox/faults). `fault` and `request` are
pure; nothing here knows ministack.
"""
