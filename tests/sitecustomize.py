"""Python imports this at the start of every process that a test starts with `tests` on its path: the guard holds there too."""

import loopback_guard

loopback_guard.install()
