"""The reference interpreters: samba, kernel and rdu IR run as they are written."""
