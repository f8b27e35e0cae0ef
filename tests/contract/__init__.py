"""What is claimed about an apiserver, as tests that know only a server and its credentials."""
