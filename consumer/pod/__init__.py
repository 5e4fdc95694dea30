"""One per pod: runs and drains the KCL daemon, and serves /metrics, /healthz, /readyz and /status.

Holds no record and decides nothing about one; it never signals a shard process but to drain it.
"""
