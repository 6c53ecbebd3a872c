"""The examination of an installation by `leased doctor`, and the results of its checks."""
