"""The custom components of the pipeline, each with a typed spec, its executor and its tests."""
