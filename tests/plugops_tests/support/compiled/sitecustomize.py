"""Python imports this by itself."""

import compiled_archives  # noqa: F401
