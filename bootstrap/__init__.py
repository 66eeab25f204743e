"""Makes the project's environment from nothing but Python, make and git.

Only the standard library is used here, and `__main__` and `pythons` are written so that an old
Python can still read them: it is their task to say which Python is needed, or to find it.
"""
