"""`segfrontier ledger`: what was bought, and what it costs under any price list."""
