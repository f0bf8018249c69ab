"""Studies as jobs of a Ray cluster: what is sent there, under which name, and how the job ends."""
