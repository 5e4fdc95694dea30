"""`tidemark rebuild`: a read model built anew beside the live one, from the start of the stream.

plan.py is pure: what application it is and what it builds. tables.py, sql.py and indexes.py make the new
target, backfill.py reads the source table into it, follow.py shows how far it is and ends it once it is cut
over.
"""
