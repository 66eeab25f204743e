"""Create the project's virtual environment. Requires only Python, make and git.

The package uses only the standard library. `__main__` and `pythons` have the syntax of Python 3.6,
because an old Python must be able to run them to find a newer one or to say which one is needed.
"""
