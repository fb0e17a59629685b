"""The samba dialect: what the model computes."""
