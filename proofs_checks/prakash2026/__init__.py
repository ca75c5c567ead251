"""Statements of Prakash et al. (ICML 2026), one file a statement."""
