"""What trained or initialised networks do: level sets, signal propagation, certificates."""
