"""Continual learning: streams of tasks, learners that keep or lose plasticity, and what is measured of them."""
