"""What several kinds of tests share: plugin bundles, PostgreSQL, server processes."""
