"""Deploy: what runs the flows; services that are processes of their own."""
