"""Windows machines for tests: the official NSSM under wine, behind a real sshd on loopback. See README.md here."""
