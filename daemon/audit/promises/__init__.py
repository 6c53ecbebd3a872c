"""The promises: for each, the violations of it in a history."""
