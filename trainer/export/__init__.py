"""The SavedModel.

- `signatures`: `export`, which writes it.
- `warmup`: the requests that a server answers before it serves a version.
"""
