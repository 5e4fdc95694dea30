"""`tidemark demo`: a shop, the service, and a judge who compares table and read model item by item.

The shop writes to a sandbox; the service is a child process that knows nothing of being watched. What the
judge
expects is worked out here in plain Python, never by the service's own code, which is imported for calling AWS
only.
"""
