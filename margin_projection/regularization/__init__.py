"""Algorithm 1 under vanishing regularization, followed far into its limit."""
