"""What each command of the `tidemark` program does; it alone may import sandbox.

Argument parsing stays in cli.py.
"""
