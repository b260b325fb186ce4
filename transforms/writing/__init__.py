"""Writing: takes chosen rows of the sources, gives Parquet shards and a report on each shard."""
