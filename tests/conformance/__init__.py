"""One suite for every store and every processor: whatever happens, the read model ends at the truth.

    history    what happens to a table, its shards and their owners: a value that can be printed and pasted
    draw       hypothesis' way to histories
    cases      the processors under test, as settings, and what each makes of an order
    truth      the model: what readers are to find in the end; written from the promise, not from the code
    targets    the stores: an empty read model, the stores of a shard process, what readers see
    world      what stands around the shard processes: the source table, the streams, the dead letters
    process    one shard process: the service's own processor and lanes, until it is killed
    voyage     carries a history out and looks at the end

An in-memory DynamoDB runs in virtual time, so that a history is the same every time; the servers run in real
time, behind links that are slow, break, and are cut when a process is killed. `make conformance EXAMPLES=20`
draws twenty times as many histories as a test run does.
"""
