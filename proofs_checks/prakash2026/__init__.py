"""Statements of Prakash et al. 2026, derived from what its public sources say."""
