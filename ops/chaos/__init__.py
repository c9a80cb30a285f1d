"""Faults on a whole live system, and what the venue's ledger says happened then."""
