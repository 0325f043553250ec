"""What concerns the platform as a whole and no process of it, for Prometheus.

`python -m ops.monitor` serves it on `METRICS_PORT`. One is enough; two do no harm.
"""
