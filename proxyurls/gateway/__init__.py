"""The gateway: any web app of a cluster in an ordinary browser, each at a root of its own."""
