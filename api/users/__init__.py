"""A person's own account: profile, settings, handle, blocks, rights."""
