"""What each page of the console shows: functions from the parts and a request to a view, without HTML."""
