"""Everything outside: settings, database, storage, decoders, scanners, brokers."""
