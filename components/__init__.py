"""Custom TFX components of the pipeline, one package each.

The parameter `code_fingerprint` of a component is a hash of its sources. No component reads it. It
is part of the cache key, so that a node runs again when its code changes.
"""
