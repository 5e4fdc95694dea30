"""The doors to the stores that are not AWS's own, and what one process shares of them.

postgresql.py alone imports psycopg, opensearch.py alone opensearchpy. Each tells whose fault a store's answer
is, Rejected by a closed list and Unavailable otherwise, and knows nothing of processors.
"""
