"""What lives in a cluster, against what Git says."""
