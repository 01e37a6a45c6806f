"""The agent's end of the contract: sessions with the master, reports, log streams, certificate renewal."""
