"""What every route promises alike: limits, requests that count once, results in bulk, traces."""
