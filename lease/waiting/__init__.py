"""How a client waits for its turn at a lease: it hears of it, or looks."""
