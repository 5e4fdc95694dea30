"""The stores under test: where a read model is to be, how a process comes to it, what its readers see."""
