"""The core: segments, targets, suffixes and URLs. No I/O, and no apiserver needed."""
