"""PostgreSQL 14 and newer; the only door to psycopg.

faults.py tells whose fault an error is; connecting.py opens a connection that can't hang; database.py has one
process's connections to a database, and carries out transactions of a few round trips each.
"""
