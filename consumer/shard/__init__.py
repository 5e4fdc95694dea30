"""One process per shard lease.

KCL's protocol in, records through lanes to the processors, the frontier out as checkpoints.

No settings file here, no HTTP server, and no boto3 before the first dead letter that goes to AWS; what the
pod found out comes in the run directory's context.
"""
