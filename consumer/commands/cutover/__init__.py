"""`tidemark cutover`: readers and the live processor go over to the model that a rebuild has made.

run.py goes from step to step, each of which may be the last before a crash; switch.py is what differs by
store. When a live processor has stopped and its rebuild has come as far is decided in checkpoint/cutover.py.
"""
