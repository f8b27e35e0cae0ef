"""``proxyurls doctor``: each cause is set up on the real apiserver, found, and remedied."""
