-- Run once, when the volume is new: MLflow's tables lie beside the service's, in a database of their own.
CREATE DATABASE mlflow;
