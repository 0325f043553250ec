"""What creators have, their payouts, and the accounts that those go to."""
