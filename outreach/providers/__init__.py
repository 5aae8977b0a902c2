"""The outside: one file a provider, each behind the small contract of `contract`. They know neither the database nor Flask."""
