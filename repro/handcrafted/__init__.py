"""The handcrafted rival of each application, to compare the networks with."""
