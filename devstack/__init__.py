"""The embedded stack: real parts, started as child processes on one machine.

Nothing outside `devstack`, `tests` and `benchmarks` imports this. The stack differs from
production in addresses, keys and wider rate limits, and any part is left out as soon as the
environment names a real service in its place.

stack        `Stack`: start, watch, stop
running      a stack with API and workers for the length of a command
launching    one part, from nothing to being well
rundir       what is kept between runs: records, ports, keys, logs
part         what a part is: command, addresses, health check
processes    children in sessions of their own, records of them, and their end
ports        free ports, kept from one run to the next
keys         generated secrets, kept from one run to the next
postgres, valkey, s3, temporal, clamd, mail, apps     the parts
"""
