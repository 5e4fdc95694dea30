"""The storm: random histories of one shard, in which everything that can go wrong does so at once.

    history    what happens: writes, records, faults, how each tenure ends; a value, with its seed
    climate    draws a history from a seed
    truth      what a history makes true, whatever becomes of it
    world      what stands around the shard processes: tables, stream, dead letters; it judges by them
    lease      KCL's side, and our positions beside it
    tenure     the daemon's messages to one shard process; checkpoints
    process    one shard process: the real record path, lanes, frontier and window, until it is killed
    stores     the way to the tables and dead letters, with the history's delays and faults
    receiver   a processor of events, which does what the history says
    witness    stands before a processor: sees every batch, what is settled and what is buried
    outage     what a processor's outcomes tell of its store
    voyage     carries a history out and looks at the end
    report     what a person needs of a failure; shrinking drops what the failure does not need

Time is virtual, and all chance comes from the seed. `python -m tests.property.storm` draws any number.
"""
