"""Real test hosts: Debian systems started by systemd-nspawn, with systemd and sshd, reached over ssh.

Run it as ``PYTHONPATH=tests python -m plugops_tests.hosts`` from the repository root; README.md says more.
"""
