"""The projection: a read model with a row per item.

mapping.py is pure, sink.py does the I/O, processor.py puts them together.
"""
