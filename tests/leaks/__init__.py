"""No secret is ever shown: every command and every failure, with marked secrets, and a search.

The folder is not called after what it looks for: Python has a module of that name.
"""
