"""Benchmarks: ``python tests/benchmarks/run.py`` prints their table. Pytest times nothing."""
