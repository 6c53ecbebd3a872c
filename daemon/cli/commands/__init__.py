"""The subcommands of `leased`, one file each."""
