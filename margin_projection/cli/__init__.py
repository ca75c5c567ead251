"""The command ``margin-projection``: projections and trajectories from a configuration file or from options."""
