"""Faults: the real apiserver behind a wire that breaks, and what each command makes of it.

``table.txt`` is the table; ``injected.py`` causes each of its faults, ``subjects.py`` runs each of
its commands, ``test_table.py`` compares. The other tests are of faults on this side: signals,
pipes, disks, closed files, locales.
"""
