"""The subcommands of `leased`: those that start something or keep its tables, and a room for each other kind."""
