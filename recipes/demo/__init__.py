"""``recipes demo``: the whole loop in two minutes, the service real, the cooks simulated. See docs/demo.md."""
