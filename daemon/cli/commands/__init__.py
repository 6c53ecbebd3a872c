"""The subcommands of `leased`, one module each, or one for two that belong together."""
