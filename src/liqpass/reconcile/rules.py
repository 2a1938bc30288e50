"""The invariants of the books as a table: each is a name, one sentence, and a query that must return no rows.

Each query is one statement over whole tables: it sees one moment, takes no lock that an order waits for, and
needs seconds at a million orders. What comes out is a fault of ours, or somebody's hand in the database:
these hold the books against themselves, reconciliation holds them against the chain.
"""

from liqpass.reconcile.invariant import Invariant
from liqpass.reconcile.rules_of_chain import CHAIN
from liqpass.reconcile.rules_of_claims import CLAIMS
from liqpass.reconcile.rules_of_exposure import EXPOSURE
from liqpass.reconcile.rules_of_ledger import LEDGER
from liqpass.reconcile.rules_of_orders import ORDERS

INVARIANTS: tuple[Invariant, ...] = (*LEDGER, *ORDERS, *CLAIMS, *EXPOSURE, *CHAIN)
