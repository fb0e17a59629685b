"""The samba, kernel and rdu dialects."""
