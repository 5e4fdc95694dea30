"""Sums of what each item contributes now, a row per group, kept by the store's own arithmetic.

Mapping and sums are pure; each store has its I/O. No other processor is known here.
"""
