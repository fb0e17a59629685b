"""Where units, routes and tensors stand."""
