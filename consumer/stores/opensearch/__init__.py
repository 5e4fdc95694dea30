"""OpenSearch 2 and 3; the only door to opensearchpy.

client.py sends requests, of the kind that cluster.py describes, to where address.py says; answers.py (pure)
tells whose fault an answer is; index.py writes documents of one index and reads what they carry.
"""
