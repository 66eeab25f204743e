"""What is fitted on the training split before any gradient, and the fields that it describes."""
