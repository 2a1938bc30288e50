"""What has to be known before a batch is made."""
