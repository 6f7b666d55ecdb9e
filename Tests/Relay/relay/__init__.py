"""An independent client of the relay protocol, and the relay driven with it."""
