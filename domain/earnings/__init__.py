"""What creators earned: days, monthly statements, and what tax offices are told each year."""
