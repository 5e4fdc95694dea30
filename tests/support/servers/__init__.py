"""Real servers for tests and benchmarks, without Docker; nothing here imports pytest.

One PostgreSQL and one OpenSearch serve a whole test run (tests/conftest.py starts them at first use); a test
gets a database, or index names, of its own. They end with whoever started them, even by SIGKILL.
"""
