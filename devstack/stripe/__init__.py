"""A stateful Stripe on this machine, for tests, the demo and the simulation.

`LocalStripe` is the whole of it, in process; `server.py` puts it on a port. Its clock is its own,
its ids follow from a seed, and each request is checked against the parameter types of the
`stripe` package. Cards and bank accounts do what Stripe's test values do.
"""

from devstack.stripe.core import Answer, LocalStripe
from devstack.stripe.faults import Fault
from devstack.stripe.webhooks import Delivery
from devstack.stripe.world import Config, Endpoint

__all__ = ["Answer", "Config", "Delivery", "Endpoint", "Fault", "LocalStripe"]
