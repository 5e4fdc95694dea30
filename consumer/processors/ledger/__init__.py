"""The DynamoDB ledger: what each source item has in a target whose rows alone do not tell.

Projections whose keys move and aggregates share it. entry.py is pure, dynamodb.py the table and its
transactions. Nothing here knows what an item's rows or sums are made of.
"""
