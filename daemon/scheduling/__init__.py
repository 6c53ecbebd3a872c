"""From definitions to run rows: sync, and planning what is due."""
