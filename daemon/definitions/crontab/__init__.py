"""What a crontab says, and the definitions in TOML that say the same; decided without asking the machine."""
