"""What holds for money and for what it buys, said once more in other words than those of the code
that keeps it. `simulation` and `chaos` hold to it what they have played."""
