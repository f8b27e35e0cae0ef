"""What ``proxyurls demo`` runs: a fake cluster and the apps behind its services.

The apps are functions of a `proxyurls.testing.Request`, and know of no proxy.
"""
