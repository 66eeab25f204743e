"""The network, the boosted trees, and how their answers become decisions."""
