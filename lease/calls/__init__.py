"""What a caller does in its own thread or event loop: acquire and release, each written once, as steps."""
