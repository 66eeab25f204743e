"""The custom components of the pipeline, each with a typed spec, its executor and its tests.

The parameter `code_fingerprint` of a component is a hash of its sources. No component reads it: it
is part of the cache key, so that a node runs again after an edit of its code.
"""
