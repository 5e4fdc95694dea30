"""`make bench`: what the service costs and reaches, beside the stock way on the same records in the same run.

Needs nothing but the set-up: the sandbox stands in for AWS. Absolute figures move with the machine; the
ratios are what counts.
"""
