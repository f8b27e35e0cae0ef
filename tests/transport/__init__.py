"""In-cluster URLs from outside, by httpx's clients with our transports: on every apiserver."""
