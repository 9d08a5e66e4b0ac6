"""What the service measures of itself, and what is made of it: windows, anomalies, alerts, health."""
