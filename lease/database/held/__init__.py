"""What it takes to send statements over connections that are held: as text that is made once, and with a socket at hand."""
