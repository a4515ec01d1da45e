"""Systems to play and to test on: embedded hosts for the demo, real ones for the tests."""
