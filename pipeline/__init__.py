"""The DAG, the ways to run it, and the commands around it."""
