"""What stands where processors write: looked at before the start, and made where that is Tidemark's to do.

checks.py is pure; look.py knows every kind of store, and each kind has a module of its own. Looking changes
nothing: `tidemark validate --aws` does it too. Only `tidemark run` makes what is missing.
"""
