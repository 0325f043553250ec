"""What tests stand on.

stack      one embedded stack a run, started by the first test that needs it
database   a database for each test worker, emptied or rolled back after each test
rows       users and media to test with
"""
