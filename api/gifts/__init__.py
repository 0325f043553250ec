"""Gifts over HTTP: bought for somebody, or with a creator's compliments."""
