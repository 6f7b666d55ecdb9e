"""What `Benchmarks/run` is made of: the machine, servers, measurements, figures, the report, and its three parts."""
