"""What is to run and when: frozen values, and the forms in which people write them; no database."""
