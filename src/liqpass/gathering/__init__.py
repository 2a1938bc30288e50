"""Evidence: the exchange is asked about a claim until its answers decide it, or its windows close."""
