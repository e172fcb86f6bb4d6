"""What the tests are made with: servers, test hosts, Windows, bundles, playbooks, the sandbox. No tests."""
