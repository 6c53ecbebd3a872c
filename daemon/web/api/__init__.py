"""The API: `/api/v1`, which answers as `--json` does, in JSON alone."""
