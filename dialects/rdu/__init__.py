"""The rdu dialect: what sits where on the chip."""
