"""What a job at work does at this moment: its processes, and where its code stands."""
