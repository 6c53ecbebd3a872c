"""What reaches a replica from outside: signals, its supervisor, the service manager, a changed FILE."""
