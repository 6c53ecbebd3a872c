"""The pages: what people see of schedules and runs in a browser, and act from."""
