"""What our own code measures (`measures`), and how it comes to a process' `/metrics` (`serving`).

`docs/operations.md` has a table of all names; a test holds the two together.
"""
