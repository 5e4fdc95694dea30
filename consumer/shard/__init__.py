"""One process per shard lease.

KCL's protocol in, records through lanes to the processors, the frontier out as checkpoints.

No boto3 here, no settings file, no HTTP server; what the pod found out comes in the run directory's context.
"""
