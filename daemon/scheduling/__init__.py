"""From definitions to run rows: sync, and the planning of due instants."""
