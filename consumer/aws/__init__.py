"""AWS: signed JSON calls for what is hot, boto3 for the rest; the only door to boto3, botocore and aiohttp.

A shard process imports clients, client, signer, services and credentials, and chain (botocore) where its keys
are not in the environment. boto3 is in boto.py alone, which the pod and the commands import, and a shard
process with its first dead letter for AWS: it costs memory. names is pure. Nothing here knows of records,
shards or processors.
"""
