"""One job at work: what it is given, and the task or process that it runs in; no tables."""
