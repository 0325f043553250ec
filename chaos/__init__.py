"""`make chaos`: work of every kind in flight, a fault in the middle of it, and what came of it.

stage       one stack, and what everybody on it needs
rounds      one fault: prepare, begin, break, heal, wait, judge
families/   what is put in flight, one module a kind of work
faults      what breaks, and how it is healed
ends        whether acknowledged work comes to its right end
doubles     whether anything was done twice
report      the table, and `.run/chaos.json`
"""
