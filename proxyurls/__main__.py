"""``python -m proxyurls``."""

from proxyurls.cli import main

raise SystemExit(main())
