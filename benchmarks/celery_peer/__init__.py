"""The same work on one picture as `IngestMedia` orders, under Celery with Redis in its place."""
