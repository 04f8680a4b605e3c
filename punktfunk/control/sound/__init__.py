"""The sound of sessions: whose sound server, which default sink and source, what is put back afterwards."""
