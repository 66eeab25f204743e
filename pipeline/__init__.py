"""The TFX pipeline, its configuration, its local runner, and the commands that use them."""
