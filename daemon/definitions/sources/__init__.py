"""The forms in which definitions come: Python files and TOML files."""
