"""Hostile input: whatever bytes come, each target's one sentence holds."""
