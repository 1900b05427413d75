"""Rules: what the product decides, and how it reads what others wrote. Pure: no I/O, no clock, no vendor but yaml."""
