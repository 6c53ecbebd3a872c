"""From definitions to run rows: which definitions rule, sync, and the planning of due instants."""
