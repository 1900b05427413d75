"""Doors: parse, check, hand over, answer. What happens behind them is the runner's matter."""
