"""Where we are in the stream: the frontier, KCL's lease tables and our positions table.

Imports nothing of consumer or sandbox: clients and KCL's checkpoint call are handed in, as the Protocols of
api.py.
"""
