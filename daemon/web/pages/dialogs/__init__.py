"""The dialogs: what an act comes to, said before it is done; each is a page with a form."""
