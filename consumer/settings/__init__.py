"""tidemark.yaml as pydantic models, and what the pod hands its shard processes.

The only reader of settings files and of the environment. Knows nothing of AWS's answers, of KCL or of how a
processor works.
"""
