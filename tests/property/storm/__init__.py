"""The storm: random histories of one shard, in which everything that can go wrong does so at once.

    history    what happens: writes, records, faults, how each tenure ends; a value, with its seed
    climate    draws a history from a seed
    world      what stands around the shard processes: tables, stream, dead letters, the lease; it judges
    stores     the way to the tables, with the history's faults and delays
    receiver   a processor of events, which does what the history says
    witness    stands before a processor and sees every batch
    tenure     one shard process: the real record path, lanes, frontier, window, checkpointer and positions
    voyage     carries a history out and looks at the end
    shrinking  drops what a failure does not need

Time is virtual, and everything random comes from the seed. `python -m tests.property.storm` runs any number.
"""
