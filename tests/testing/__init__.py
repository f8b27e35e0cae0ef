"""Tests of proxyurls.testing itself."""
