"""Which operators form a module, and which stages form one."""
