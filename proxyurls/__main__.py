"""``python -m proxyurls``."""

try:
    from proxyurls.cli import main

    code = main()
except KeyboardInterrupt:  # before it was there, or behind its end
    code = 130
raise SystemExit(code)
