"""What users get: the wheel and the sdist, built once a session, and the wheel installed."""
