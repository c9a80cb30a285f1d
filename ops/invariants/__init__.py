"""The invariants of DESIGN.md section 7 as pure checks over the venue's ledger and our journals."""
