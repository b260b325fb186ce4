"""Which documents fill the quotas."""
