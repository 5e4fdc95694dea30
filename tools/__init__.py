"""What the Makefile runs to set up a checkout. Standard library only; nothing the service imports."""
