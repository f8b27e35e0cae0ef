"""A cluster and a kubeconfig that want to do harm: what they say, and what comes of it.

Terminals, pages and shells get what is in `payloads`; `harmless` says in one place what may reach
them.
"""
