"""Export of the SavedModel.

- `signatures`: `export`, which writes the SavedModel with its signatures.
- `warmup`: requests by which a server warms up a version before it serves it.
"""
