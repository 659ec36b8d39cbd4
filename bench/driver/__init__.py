"""What bench/run is made of: build, measure, report, draw."""
