"""AWS in one process, for the demo and the tests: ministack on loopback, with its gaps put right.

Here live: the server and its child process, a module for each gap of ministack (`gaps/`), and the fault
switch (`faults/`). `emulator` is the only door to ministack. Nothing here may import consumer or checkpoint,
listen beyond loopback unless told to, or write to disk.
"""
