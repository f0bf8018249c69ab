"""The market: the only door to target truth. A method asks, the ledger is charged, the bought labels come back."""
