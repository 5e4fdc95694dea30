"""The Tidemark service.

Rooms, from the outside in: cli > commands > pod, shard > processors > metrics, aws, settings > record,
attributes > errors.
An inner room never imports an outer one; import-linter holds this (pyproject.toml).
"""
